/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Runs a fuzz target over the files of the directories (or the files) given, without
 * libFuzzer: `make check` replays the corpora so. Prints how many inputs it ran; an
 * empty corpus is an error, since then nothing was tested.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { LARGEST = 1 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned int
run_file(const char *path)
{
	static uint8_t buf[LARGEST];
	FILE *f = fopen(path, "rb");
	uint8_t *copy;
	size_t n;

	if (!f) {
		perror(path);
		exit(1);
	}
	n = fread(buf, 1, sizeof(buf), f);
	fclose(f);
	copy = malloc(n ? n : 1); /* of its own size, so that ASan sees a read past the end */
	if (!copy)
		exit(1);
	memcpy(copy, buf, n);
	LLVMFuzzerTestOneInput(copy, n);
	free(copy);
	return 1;
}

static unsigned int
run_path(const char *path)
{
	DIR *dir = opendir(path);
	char file[4096];
	struct dirent *e;
	unsigned int n = 0;

	if (!dir)
		return run_file(path);
	while ((e = readdir(dir))) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(file, sizeof(file), "%s/%s", path, e->d_name);
		n += run_file(file);
	}
	closedir(dir);
	return n;
}

int
main(int argc, char **argv)
{
	unsigned int n = 0;
	int i;

	for (i = 1; i < argc; i++)
		n += run_path(argv[i]);
	printf("%s: %u inputs\n", argv[0], n);
	return n ? 0 : 1;
}
