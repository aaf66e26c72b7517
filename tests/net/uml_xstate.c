/*
 * User-mode Linux 6.1 restores its processes' floating point state with a buffer of 2696 bytes, the state up to AVX-512
 * and PKRU. A host with AMX has a larger one and refuses the short buffer (EFAULT), and the guest dies with
 * "ptrace set fp regs failed". Loaded with LD_PRELOAD, this extends the buffer to the host's size; what lies beyond is
 * in its initial state, as no guest process asks for AMX.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/types.h>
#include <sys/uio.h>

#define XSTATE 0x202 /* NT_X86_XSTATE */
#define FEATURES 512 /* where the bits of the features in use lie */
#define FEATURES_KNOWN 0x3ffUL /* up to PKRU */

static long (*real)(int, pid_t, void *, void *);

static long
set_xstate(pid_t pid, const struct iovec *given)
{
	static char whole[65536];
	struct iovec iov = { whole, sizeof(whole) };
	uint64_t features;

	if (real(PTRACE_GETREGSET, pid, (void *)XSTATE, &iov) < 0)
		return -1;
	if (given->iov_len < iov.iov_len && given->iov_len >= FEATURES + 64) {
		memset(whole, 0, iov.iov_len);
		memcpy(whole, given->iov_base, given->iov_len);
		memcpy(&features, whole + FEATURES, sizeof(features));
		features &= FEATURES_KNOWN;
		memcpy(whole + FEATURES, &features, sizeof(features));
	} else {
		iov = *given;
	}
	return real(PTRACE_SETREGSET, pid, (void *)XSTATE, &iov);
}

long
ptrace(enum __ptrace_request request, ...)
{
	va_list ap;
	pid_t pid;
	void *addr, *data;

	if (real == NULL)
		*(void **)&real = dlsym(RTLD_NEXT, "ptrace");
	va_start(ap, request);
	pid = va_arg(ap, pid_t);
	addr = va_arg(ap, void *);
	data = va_arg(ap, void *);
	va_end(ap);
	if (request == PTRACE_SETREGSET && (uintptr_t)addr == XSTATE)
		return set_xstate(pid, data);
	return real((int)request, pid, addr, data);
}
