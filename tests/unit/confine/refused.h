/* The acts that confine() takes away, and by what. */
#ifndef MAYFLY_TESTS_CONFINE_REFUSED_H
#define MAYFLY_TESTS_CONFINE_REFUSED_H

#include "world.h"

#include <sys/ioctl.h>

static int read_outside(void)
{
	return open_and_close(outside, O_RDONLY);
}

static int read_passwd(void)
{
	return open_and_close("/etc/passwd", O_RDONLY);
}

static int list_root(void)
{
	return open_and_close("/", O_RDONLY | O_DIRECTORY);
}

static int write_read_only(void)
{
	return result(openat(readable_fd, "file", O_WRONLY | O_CLOEXEC));
}

static int write_read_only_openat2(void)
{
	struct open_how how = {.flags = O_WRONLY | O_CLOEXEC, .resolve = RESOLVE_BENEATH};

	return result(syscall(SYS_openat2, readable_fd, "file", &how, sizeof(how)));
}

static int truncate_null(void)
{
	return result(open("/dev/null", O_RDONLY | O_TRUNC | O_CLOEXEC));
}

static int make_in_read_only(void)
{
	return result(openat(readable_fd, "made", O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
}

static int make_in_writable(void)
{
	return result(openat(writable_fd, "made", O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
}

static int make_folder_in_read_only(void)
{
	return result(mkdirat(readable_fd, "folder", 0700));
}

static int remove_in_read_only(void)
{
	return result(unlinkat(readable_fd, "victim", 0));
}

static int move_out_of_read_only(void)
{
	return result(renameat(readable_fd, "victim", writable_fd, "stolen"));
}

static int make_link(void)
{
	return result(symlinkat("/etc", writable_fd, "link"));
}

static int make_hard_link(void)
{
	return result(linkat(writable_fd, "file", writable_fd, "hard", 0));
}

static int make_fifo(void)
{
	return result(mkfifoat(writable_fd, "fifo", 0600));
}

static int run_program(void)
{
	execl("/bin/true", "true", (char *)NULL);
	return errno;
}

static int start_process(void)
{
	pid_t child = fork();

	if (child == 0)
		_exit(0);
	return result(child);
}

static int socket_inet(void)
{
	return result(socket(AF_INET, SOCK_STREAM, 0));
}

static int socket_inet6_udp(void)
{
	return result(socket(AF_INET6, SOCK_DGRAM, 0));
}

static int socket_netlink(void)
{
	return result(socket(AF_NETLINK, SOCK_RAW, 0));
}

static int socket_unix(void)
{
	return result(socket(AF_UNIX, SOCK_STREAM, 0));
}

static int connect_tcp(void)
{
	return result(connect(tcp, (struct sockaddr *)&listener, sizeof(listener)));
}

static int bind_tcp(void)
{
	struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

	return result(bind(tcp, (struct sockaddr *)&any, sizeof(any)));
}

static int connect_by_fast_open(void)
{
	return result(sendto(tcp, "x", 1, MSG_FASTOPEN | MSG_NOSIGNAL, (struct sockaddr *)&listener,
			     sizeof(listener)));
}

static int connect_abstract(void)
{
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return result(connect(fd, (struct sockaddr *)&abstract, (socklen_t)abstract_len));
}

static int signal_another(void)
{
	return result(kill(victim, 0));
}

static int signal_a_thread(void)
{
	return result(syscall(SYS_tgkill, victim, victim, 0));
}

static int own_signals_to_another(void)
{
	return result(fcntl(pair[0], F_SETOWN, victim));
}

static int trace_another(void)
{
	return result(ptrace(PTRACE_SEIZE, victim, 0, 0));
}

static int read_memory_of_another(void)
{
	char byte;
	struct iovec local = {&byte, 1}, remote = {&byte, 1};

	return result(syscall(SYS_process_vm_readv, victim, &local, 1, &remote, 1, 0));
}

static int map_executable(void)
{
	return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
			       MAP_FAILED
		       ? errno
		       : 0;
}

static int make_executable(void)
{
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return result(mprotect(page, 4096, PROT_READ | PROT_EXEC));
}

static int change_process(void)
{
	return result(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0));
}

static int control_device(void)
{
	int on = 1;

	return result(ioctl(pair[0], FIOASYNC, &on));
}

static int new_namespace(void)
{
	return result(unshare(CLONE_FS));
}

static int make_memory_file(void)
{
	return result(syscall(SYS_memfd_create, "x", 0));
}

static int change_mode(void)
{
	return result(fchmodat(writable_fd, "file", 0640, 0));
}

#if defined(__x86_64__)
static int call_x32(void)
{
	return result(syscall(0x40000000 | SYS_getpid));
}

static int call_i386(void)
{
	long value = 20; /* getpid there */

	__asm__ volatile("int $0x80" : "+a"(value) : : "memory");
	return value < 0 ? (int)-value : 0;
}
#endif

static const struct refused {
	const char *name;
	int (*act)(void);
	unsigned profiles;
	bool filter;   /* the filter refuses it without Landlock */
	int abi;       /* the least Landlock that refuses it without the filter; 0: none does */
	bool may_lack; /* not every host lets it be done at all */
} refused[] = {
	{"opening /etc/passwd", read_passwd, ALL, false, 1, false},
	{"opening a file outside the listed paths", read_outside, ALL, false, 1, false},
	{"listing /", list_root, ALL, false, 1, false},
	{"opening to write beneath a path to read", write_read_only, JOB, false, 1, false},
	{"opening to write beneath a path to read", write_read_only, STATIC | REAP, true, 1, false},
	{"the same with openat2", write_read_only_openat2, JOB, false, 1, false},
	{"the same with openat2", write_read_only_openat2, STATIC | REAP, true, 1, false},
	{"truncating while opening to read", truncate_null, STATIC | REAP, true, 1, false},
	{"making a file beneath a path to read", make_in_read_only, JOB, false, 1, false},
	{"making a file beneath a path to read", make_in_read_only, STATIC | REAP, true, 1, false},
	{"making a file beneath a path to remove from", make_in_writable, STATIC | REAP, true, 1,
	 false},
	{"making a folder beneath a path to read", make_folder_in_read_only, JOB, false, 1, false},
	{"making a folder beneath a path to read", make_folder_in_read_only, STATIC | REAP, true, 1,
	 false},
	{"removing beneath a path to read", remove_in_read_only, JOB | REAP, false, 1, false},
	{"removing beneath a path to read", remove_in_read_only, STATIC, true, 1, false},
	{"moving out of a path to read", move_out_of_read_only, JOB | REAP, false, 1, false},
	{"moving out of a path to read", move_out_of_read_only, STATIC, true, 1, false},
	{"making a symbolic link", make_link, ALL, true, 1, false},
	{"making a hard link", make_hard_link, ALL, true, 0, false},
	{"making a FIFO", make_fifo, ALL, true, 1, false},
	{"execve", run_program, ALL, true, 1, false},
	{"fork", start_process, ALL, true, 0, false},
	{"socket AF_INET", socket_inet, ALL, true, 0, false},
	{"socket AF_INET6", socket_inet6_udp, ALL, true, 0, false},
	{"socket AF_NETLINK", socket_netlink, ALL, true, 0, false},
	{"socket AF_UNIX", socket_unix, STATIC | REAP, true, 0, false},
	{"connecting a TCP socket that was open", connect_tcp, JOB, false, 4, false},
	{"connecting a TCP socket that was open", connect_tcp, STATIC | REAP, true, 4, false},
	{"binding a TCP socket that was open", bind_tcp, ALL, true, 4, false},
	{"connecting by TCP fast open", connect_by_fast_open, ALL, true, 0, false},
	{"connecting to an abstract Unix socket", connect_abstract, JOB, false, 6, false},
	{"kill", signal_another, ALL, true, 6, false},
	{"tgkill", signal_a_thread, ALL, true, 6, false},
	{"F_SETOWN", own_signals_to_another, ALL, true, 0, false},
	{"ptrace", trace_another, ALL, true, 1, false},
	{"process_vm_readv", read_memory_of_another, ALL, true, 1, false},
	{"mapping memory executable", map_executable, ALL, true, 0, false},
	{"making memory executable", make_executable, ALL, true, 0, false},
	{"prctl", change_process, ALL, true, 0, false},
	{"ioctl FIOASYNC", control_device, ALL, true, 0, false},
	{"unshare", new_namespace, ALL, true, 0, false},
	{"memfd_create", make_memory_file, ALL, true, 0, false},
	{"changing a mode", change_mode, STATIC, true, 0, false},
#if defined(__x86_64__)
	{"a system call of x32", call_x32, ALL, true, 0, false},
	{"a system call of i386", call_i386, ALL, true, 0, false},
#endif
};

#endif
