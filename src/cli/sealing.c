/* A contribution's ciphertext. */
#include "cli/internal/sealing.h"

#include "chain/contribution.h"
#include "crypto/openpgp.h"
#include "crypto/secret.h"
#include "os/clock.h"
#include "os/file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define AGAIN_MS 10000 /* while the store cannot be reached: it may be restarting */

static enum rc read_fd(void *data, uint8_t *p, size_t cap, size_t *n, struct err *e)
{
    const int *fd = data;
    ssize_t got = read(*fd, p, cap);

    *n = got < 0 ? 0 : (size_t)got;
    return got < 0 ? err_set(e, RC_IO, "reading the file failed") : RC_OK;
}

static enum rc write_fd(void *data, struct bytes piece, struct err *e)
{
    const int *fd = data;

    return file_write_fd(*fd, piece, e);
}

static enum rc source_fd(void *data, void *p, size_t cap, size_t *n, struct err *e)
{
    return read_fd(data, p, cap, n, e);
}

static void *seal_main(void *arg)
{
    struct sealing *s = arg;
    AUTO_CLEAR(secbuf) struct secbuf file_key = {0};
    const struct openpgp_source source = {.read = read_fd, .data = &s->in};
    const struct openpgp_sink sink = {.write = write_fd, .data = &s->out};

    file_key_derive(&file_key, s->key, s->seed);
    s->rc = openpgp_encrypt(&source, &sink, s->size, secbuf_bytes(&file_key), NULL, &s->err);
    return NULL;
}

enum rc sealing_begin(struct sealing *s, const char *path, const struct secp_key *key,
                      struct bytes seed, struct err *e)
{
    struct stat st = {0};
    int rc;

    *s = (struct sealing){.key = key, .seed = seed, .out = -1};
    s->in = open(path, O_RDONLY | O_CLOEXEC);
    if (s->in < 0)
        return err_errno(e, errno, "cannot read %s", path);
    if (fstat(s->in, &st) != 0 || !S_ISREG(st.st_mode))
        return err_set(e, RC_UNSUPPORTED,
                       "%s is %s, not a file: give one file (an archive, for many)", path,
                       S_ISDIR(st.st_mode) ? "a folder" : "a device or a pipe");
    if (st.st_size == 0)
        return err_set(e, RC_MALFORMED, "%s is empty: there is nothing to contribute", path);
    s->size = (uint64_t)st.st_size;
    s->out = memfd_create("ciphertext", MFD_CLOEXEC);
    if (s->out < 0)
        return err_set(e, RC_IO, "no memory file for the ciphertext");
    rc = pthread_create(&s->thread, NULL, seal_main, s);
    s->runs = rc == 0;
    return rc == 0 ? RC_OK : err_errno(e, rc, "thread");
}

static void join(struct sealing *s)
{
    if (s->runs)
        (void)pthread_join(s->thread, NULL);
    s->runs = false;
}

enum rc sealing_store(struct sealing *s, struct store_client *store, struct cid *cid, struct err *e)
{
    uint64_t give_up = clock_mono_ms() + AGAIN_MS;
    enum rc rc;

    join(s);
    if (s->rc != RC_OK)
        return err_set(e, s->rc, "%s", s->err.msg);
    for (;;) {
        if (lseek(s->out, 0, SEEK_SET) != 0)
            return err_set(e, RC_IO, "memory file cannot be rewound");
        rc = store_client_add(store, cid, NULL, source_fd, &s->out, e);
        if ((rc != RC_IO && rc != RC_AGAIN && rc != RC_CLOSED && rc != RC_TIMEOUT) ||
            clock_mono_ms() > give_up)
            return rc;
        clock_sleep_ms(250);
    }
}

void sealing_clear(struct sealing *s)
{
    join(s);
    if (s->in >= 0)
        (void)close(s->in);
    if (s->out >= 0)
        (void)close(s->out);
}
