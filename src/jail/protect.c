/* A container must never get to write the program that starts it. For a moment before exec that
 * program is the container's /proc/self/exe, and a script whose interpreter is /proc/self/exe runs
 * it again, inside (CVE-2019-5736). Where the container's user could write the file, the jail goes
 * on from a copy that nobody can write. */
#include "base/mem.h"
#include "jail/jail.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U /* Linux 6.3 */
#endif
#define SEALS (F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL)

/* Could the user that a container of ours gets write it, or make it writable? */
static bool is_exposed(int fd, const struct stat *st)
{
    int seals = fcntl(fd, F_GET_SEALS);

    if (seals >= 0 && (seals & SEALS) == SEALS)
        return false;
    /* As root: the container's user is a number of its own that owns nothing. */
    if (geteuid() == 0)
        return (st->st_mode & S_IWOTH) != 0;
    return st->st_uid == geteuid() || access("/proc/self/exe", W_OK) == 0;
}

static enum rc copy_sealed(int *out, int from, off_t size, struct err *e)
{
    off_t at = 0;

    *out = memfd_create("cloister-jail", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);
    if (*out < 0 && errno == EINVAL)
        *out = memfd_create("cloister-jail", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (*out < 0)
        return err_errno(e, errno, "jail: memfd");
    while (at < size)
        if (sendfile(*out, from, &at, (size_t)(size - at)) <= 0)
            return err_errno(e, errno, "jail: copy of our program");
    if (fcntl(*out, F_ADD_SEALS, SEALS) != 0)
        return err_errno(e, errno, "jail: seal");
    return RC_OK;
}

enum rc jail_protect_program(char *const argv[], struct err *e)
{
    AUTO_FD int self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    AUTO_FD int copy = -1;
    struct stat st;

    if (self < 0 || fstat(self, &st) != 0)
        return err_errno(e, errno, "jail: our own program");
    if (!is_exposed(self, &st))
        return RC_OK;
    TRY(copy_sealed(&copy, self, st.st_size, e));
    (void)syscall(SYS_execveat, copy, "", argv, environ, AT_EMPTY_PATH);
    return err_errno(e, errno, "jail: start of the sealed copy");
}
