/* Names that Debian's libnftnl.a, compiled against glibc with _FORTIFY_SOURCE,
 * expects and musl does not have. toolchain.sh adds this object to the archive;
 * builds from upstream source do not need it. Little-endian targets only: the
 * layout of msghdr differs by padding, and only there does it not matter. */
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>

int __snprintf_chk(char *to, size_t room, int flag, size_t size, const char *format, ...)
{
	va_list args;
	int n;

	(void)flag;
	va_start(args, format);
	n = vsnprintf(to, room < size ? room : size, format, args);
	va_end(args);
	return n;
}

int __fprintf_chk(FILE *to, int flag, const char *format, ...)
{
	va_list args;
	int n;

	(void)flag;
	va_start(args, format);
	n = vfprintf(to, format, args);
	va_end(args);
	return n;
}

#ifdef __arm__ /* glibc's names for 64-bit time on 32-bit machines */
int __getsockopt64(int fd, int level, int name, void *value, socklen_t *len)
{
	return getsockopt(fd, level, name, value, len);
}

int __setsockopt64(int fd, int level, int name, const void *value, socklen_t len)
{
	return setsockopt(fd, level, name, value, len);
}

ssize_t __recvmsg64(int fd, struct msghdr *msg, int flags)
{
	return recvmsg(fd, msg, flags);
}

time_t __time64(time_t *to)
{
	return time(to);
}
#endif
