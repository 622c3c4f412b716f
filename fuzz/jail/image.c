/* Image archives: whatever comes, nothing is left in the cache but finished images, and a finished
 * image is found again. */
#include "jail/image.h"

#include "base/mem.h"
#include "crypto/hash.h"
#include "os/file.h"

#include <sys/mman.h>

static char cache[] = "/dev/shm/cloister-fuzz.XXXXXX";

static void clean(void)
{
    (void)!dir_remove(cache, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool made;
    const struct image_limits limits = {.unpacked_size = 1u << 20, .n_files = 100};
    AUTO_FD int fd = memfd_create("image", MFD_CLOEXEC);
    struct image image;
    struct hash32 sum;

    if (!made)
        CHECK(mkdtemp(cache) != NULL && atexit(clean) == 0);
    made = true;
    CHECK(file_write_fd(fd, bytes_of(data, size), NULL) == RC_OK);
    if (image_open(&image, fd, NULL, cache, &limits, NULL) == RC_OK) {
        image_clear(&image);
        sha256(&sum, bytes_of(data, size));
        CHECK(image_open(&image, -1, &sum, cache, &limits, NULL) == RC_OK);
        CHECK(image.was_cached);
        image_clear(&image);
        CHECK(image_cache_trim(cache, 0, NULL) == RC_OK);
    }
    return 0;
}
