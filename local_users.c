/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Users from a file of pppd's chap-secrets form, so that a small server needs no
 * RADIUS. One user a line:
 *
 *   NAME SERVER SECRET [ADDRESS]
 *
 * Words are set apart by blanks; '#' at the start of a word begins a comment; a word,
 * or a part of it, may be quoted by " or ', and a backslash takes the next character
 * as it is. SERVER is read and not looked at. ADDRESS is the subscriber's; none or *
 * means the pool. What pppd knows beside (several addresses, options, secrets in other
 * files) is an error here rather than a surprise.
 *
 * The file and the list made from it lie in one private mapping that children do not
 * have and core dumps leave out, and that is wiped at its end. A file that is read again
 * is staged in a mapping of its own, and replaces the other as a whole when whoever had
 * it read is content. The list is sorted, so a name is found by bisection - sixteen
 * comparisons for 50,000 users - and one that is there twice is noticed.
 *
 * PAP (RFC 1334), CHAP with MD5 (RFC 1994 4.1), MS-CHAPv2 (RFC 2759 4 to 6). Called by
 * the configuration's owner to read, and by the hook for logins.
 */
#include "local_users.h"
#include "mschap.h"
#include "util.h"

#include <errno.h>
#include <fcntl.h>
#include <nettle/md5.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	MAX_FILE = 256 << 20,
	MAX_WORDS = 5, /* one more than a line may have */
	PASSWORD_LEN = 256,
	SHORTEST_LINE = 6, /* "a b c\n" */
};

struct user {
	const char *name, *secret;
	uint32_t ip4; /* network order; 0: from the pool */
	unsigned int line;
};

/* The text first, then the users; both in the one mapping. */
struct list {
	char *text;
	size_t text_len, size; /* of the file, of the mapping */
	struct user *users;
	size_t n;
};

/* While a file is read. */
struct reader {
	const char *file;
	unsigned int line; /* 0: it is about the file */
	int errors;
	void (*error)(const char *line);
};

static struct list known, fresh; /* fresh: read, not in force yet */
static bool staged;

static void complain(struct reader *rd, const char *fmt, ...) PRINTF_LIKE(2, 3);

static void
complain(struct reader *rd, const char *fmt, ...)
{
	char what[320], text[640];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	if (rd->line > 0)
		snprintf(text, sizeof(text), "%s:%u: %s", rd->file, rd->line, what);
	else
		snprintf(text, sizeof(text), "%s: %s", rd->file, what);
	rd->errors++;
	rd->error(text);
}

static void
forget(struct list *l)
{
	if (!l->text)
		return;
	explicit_bzero(l->text, l->size);
	munmap(l->text, l->size);
	*l = (struct list){ 0 };
}

/*
 * Takes the next word of a line out of its quotes, in place: what is left is never longer.
 * NULL at the end; *bad when a quote is not closed.
 */
static char *
next_word(char **pos, bool *bad)
{
	char *p = *pos + strspn(*pos, " \t\r"), *to = p, *word = p;
	char quote = '\0';
	bool last;

	if (*p == '\0' || *p == '#')
		return NULL;
	for (; *p && (quote || !strchr(" \t\r", *p)); p++) {
		if (*p == quote || (!quote && (*p == '"' || *p == '\'')))
			quote = quote ? '\0' : *p;
		else if (*p == '\\' && p[1])
			*to++ = *++p;
		else
			*to++ = *p;
	}
	*bad = quote != '\0';
	last = *p == '\0';
	*to = '\0';
	*pos = last ? p : p + 1;
	return word;
}

static int
split(char *line, char *words[MAX_WORDS], bool *bad)
{
	int n = 0;

	*bad = false;
	while (n < MAX_WORDS && !*bad && (words[n] = next_word(&line, bad)))
		n++;
	return n;
}

/* Whether the words of a line are a user; complains if not. */
static bool
check_words(struct reader *rd, char *const words[MAX_WORDS], int n, uint32_t *ip4)
{
	size_t name_len, secret_len;

	if (n < 3 || n > 4) {
		complain(rd, "NAME SERVER SECRET [ADDRESS] expected, found %s words",
		    n < 3 ? "fewer" : "more");
		return false;
	}
	name_len = strlen(words[0]);
	secret_len = strlen(words[2]);
	if (name_len == 0 || name_len >= USER_LEN)
		complain(rd, "a name has 1 to %d octets", USER_LEN - 1);
	else if (secret_len == 0 || secret_len >= PASSWORD_LEN)
		complain(rd, "a secret has 1 to %d octets", PASSWORD_LEN - 1);
	else if (n == 4 && strcmp(words[3], "*") != 0 && !ip4_parse(words[3], ip4))
		complain(rd, "%.64s is not an IPv4 address or *", words[3]);
	else
		return true;
	return false;
}

static void
read_line(struct reader *rd, char *line, struct list *l)
{
	char *words[MAX_WORDS];
	uint32_t ip4 = 0;
	bool open_quote;
	int n = split(line, words, &open_quote);

	if (open_quote)
		complain(rd, "a quote is not closed");
	else if (n > 0 && check_words(rd, words, n, &ip4))
		l->users[l->n++] = (struct user){
			.name = words[0],
			.secret = words[2],
			.ip4 = ip4,
			.line = rd->line,
		};
}

static int
compare(const void *a, const void *b)
{
	const struct user *x = a, *y = b;
	int by_name = strcmp(x->name, y->name);

	return by_name ? by_name : (x->line > y->line) - (x->line < y->line);
}

/* Of a name that is there several times the first line counts. */
static void
drop_doubles(struct reader *rd, struct list *l)
{
	size_t i, n = 0;

	for (i = 0; i < l->n; i++) {
		if (n > 0 && strcmp(l->users[n - 1].name, l->users[i].name) == 0) {
			rd->line = l->users[i].line;
			complain(
			    rd, "%s is in line %u already", l->users[i].name, l->users[n - 1].line);
			continue;
		}
		l->users[n++] = l->users[i];
	}
	l->n = n;
}

static void
parse(struct reader *rd, struct list *l)
{
	char *line = l->text, *end;

	for (rd->line = 1; *line; rd->line++) {
		end = line + strcspn(line, "\n");
		if (*end)
			*end++ = '\0';
		read_line(rd, line, l);
		line = end;
	}
	if (l->n > 0)
		qsort(l->users, l->n, sizeof(*l->users), compare);
	drop_doubles(rd, l);
}

/* Room for the text and for as many users as can be in it. */
static int
make_room(struct list *l, size_t text_len)
{
	size_t users_at = (text_len + sizeof(*l->users)) / sizeof(*l->users) * sizeof(*l->users);
	size_t most = text_len / SHORTEST_LINE + 1;
	void *map;

	l->size = users_at + most * sizeof(*l->users);
	map = mmap(NULL, l->size, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (map == MAP_FAILED)
		return -1;
	madvise(map, l->size, MADV_DONTFORK);
	madvise(map, l->size, MADV_DONTDUMP);
	l->text = map;
	l->users = (struct user *)map + users_at / sizeof(*l->users);
	l->n = 0;
	return 0;
}

/* The whole file into l->text. NULL, or what is wrong. */
static const char *
load(int fd, struct list *l)
{
	struct stat st;
	size_t have = 0;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st) < 0)
		return strerror(errno);
	if (!S_ISREG(st.st_mode) || st.st_size > MAX_FILE)
		return "not a file of users";
	if (make_room(l, (size_t)st.st_size) < 0)
		return strerror(errno);
	while (have < (size_t)st.st_size) {
		n = read(fd, l->text + have, (size_t)st.st_size - have);
		if (n <= 0)
			return n < 0 ? strerror(errno) : "became shorter while it was read";
		have += (size_t)n;
	}
	return memchr(l->text, '\0', have) ? "not a text file" : NULL;
}

int
local_users_stage(const char *file, void (*error)(const char *line))
{
	struct reader rd = { .file = file, .error = error };
	const char *why;
	int fd;

	staged = false;
	forget(&fresh);
	if (file[0]) {
		fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
		why = load(fd, &fresh);
		if (fd >= 0)
			close(fd);
		if (why) {
			forget(&fresh);
			complain(&rd, "cannot read the users: %s", why);
			return -1;
		}
		parse(&rd, &fresh);
	}
	staged = true;
	return rd.errors;
}

void
local_users_commit(void)
{
	if (!staged)
		return;
	forget(&known);
	known = fresh;
	fresh = (struct list){ 0 };
	staged = false;
}

static int
compare_name(const void *name, const void *u)
{
	return strcmp(name, ((const struct user *)u)->name);
}

static const struct user *
find(const char *name)
{
	return known.n > 0 ? bsearch(name, known.users, known.n, sizeof(*known.users), compare_name)
			   : NULL;
}

static bool
check_pap(const struct user *u, const struct auth_request *req)
{
	char guess[PASSWORD_LEN];
	bool same;

	same = str_copy_n(guess, sizeof(guess), req->password, req->password_len) &&
	       strlen(guess) == req->password_len;
	same &= secret_equal_str(guess, u->secret);
	explicit_bzero(guess, sizeof(guess));
	return same;
}

/* RFC 1994 4.1: MD5 over the identifier, the secret and the challenge. */
static bool
check_chap(const struct user *u, const struct auth_request *req)
{
	struct md5_ctx md5;
	uint8_t digest[MD5_DIGEST_SIZE];

	md5_init(&md5);
	md5_update(&md5, 1, &req->id);
	md5_update(&md5, strlen(u->secret), (const uint8_t *)u->secret);
	md5_update(&md5, req->challenge_len, req->challenge);
	md5_digest(&md5, sizeof(digest), digest);
	return req->password_len == sizeof(digest) &&
	       secret_equal(digest, req->password, sizeof(digest));
}

/* RFC 2759 6: the text of a Failure packet, with a fresh challenge that R=0 makes pointless. */
static void
mschap2_failure(char *text, size_t size)
{
	uint8_t challenge[MSCHAP_CHALLENGE];
	char hex[2 * MSCHAP_CHALLENGE + 1];
	size_t i;

	random_bytes(challenge, sizeof(challenge));
	for (i = 0; i < sizeof(challenge); i++)
		snprintf(hex + 2 * i, 3, "%02X", challenge[i]);
	snprintf(text, size, "E=691 R=0 C=%s V=3 M=Access denied", hex);
}

/*
 * RFC 2759 4, 5: both challenges, the name without its domain and the password give the
 * response that is due; our answer proves to the peer that we know the password too.
 */
static bool
check_mschap2(const struct user *u, const struct auth_request *req, struct auth_result *res)
{
	const uint8_t *peer = req->password, *response = req->password + 24;
	const char *domain = strrchr(req->claimed, '\\');
	const char *name = domain ? domain + 1 : req->claimed;
	uint8_t due[MSCHAP_NT_RESPONSE];

	if (req->password_len != MSCHAP_RESPONSE || req->challenge_len != MSCHAP_CHALLENGE)
		return false;
	mschap_nt_response(req->challenge, peer, name, u->secret, due);
	if (!secret_equal(due, response, sizeof(due)))
		return false;
	mschap_auth_response(u->secret, response, peer, req->challenge, name, res->mschap);
	return true;
}

static bool
check(const struct user *u, const struct auth_request *req, struct auth_result *res)
{
	switch (req->proto) {
	case AUTH_PAP:
		return check_pap(u, req);
	case AUTH_CHAP:
		return check_chap(u, req);
	case AUTH_MSCHAPV2:
		return check_mschap2(u, req, res);
	default:
		return false;
	}
}

bool
local_users_authenticate(sess_id s, const struct auth_request *req)
{
	const struct user *u = find(req->user);
	struct auth_result res = { .number = req->number, .verdict = AUTH_REFUSED, .local = true };

	if (!u)
		return false;
	if (check(u, req, &res)) {
		res.verdict = AUTH_ACCEPTED;
		res.ip4 = u->ip4;
	} else if (req->proto == AUTH_MSCHAPV2) {
		mschap2_failure(res.mschap, sizeof(res.mschap));
	}
	hook_auth_result(s, &res);
	return true;
}
