/* A container validator that asks its agent for everything and says what it was told; built by
 * tests/e2e/image-agent. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* Status, or 0 where there is nobody; the answer's body. */
static int call(const char *method, const char *body, char *answer, size_t cap)
{
    const char *path = getenv("DSTACK_SIMULATOR_ENDPOINT");
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    char text[8192], *start;
    size_t n = 0;
    ssize_t got;
    int s = socket(AF_UNIX, SOCK_STREAM, 0), status = 0;

    answer[0] = '\0';
    if (path == NULL || s < 0)
        return 0;
    (void)snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
    if (connect(s, (struct sockaddr *)&a, sizeof(a)) != 0)
        return 0;
    (void)snprintf(text, sizeof(text),
                   "POST /%s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                   "Content-Length: %zu\r\nConnection: close\r\n\r\n%s",
                   method, strlen(body), body);
    if (write(s, text, strlen(text)) < 0)
        return 0;
    while (n < sizeof(text) - 1 && (got = read(s, text + n, sizeof(text) - 1 - n)) > 0)
        n += (size_t)got;
    text[n] = '\0';
    (void)close(s);
    start = strstr(text, "\r\n\r\n");
    if (start != NULL)
        (void)snprintf(answer, cap, "%s", start + 4);
    for (size_t i = sizeof("HTTP/1.1"); n > 12 && i < sizeof("HTTP/1.1") + 3; i++)
        status = status * 10 + (text[i] - '0');
    return status;
}

/* A sum that tells keys apart and shows none: the results are public. */
static unsigned long sum_of(const char *text)
{
    unsigned long h = 1469598103934665603u;

    for (; *text != '\0'; text++)
        h = (h ^ (unsigned char)*text) * 1099511628211u;
    return h >> 16;
}

int main(void)
{
    static const char *const evidence[] = {"GetQuote", "Attest", "GetTlsKey", "EmitEvent", "Info"};
    FILE *f = fopen("/output/results.json", "w");
    char key[4096], other[4096], sign[4096], refused[4096];
    int key_status = call("GetKey", "{\"path\":\"a\"}", key, sizeof(key));
    int other_status = call("GetKey", "{\"path\":\"b\"}", other, sizeof(other));
    int sign_status =
        call("Sign", "{\"algorithm\":\"ed25519\",\"data\":\"00\"}", sign, sizeof(sign));
    int n_refused = 0;

    for (size_t i = 0; i < sizeof(evidence) / sizeof(evidence[0]); i++) {
        int status =
            call(evidence[i], "{\"report_data\":\"00\",\"event\":\"x\"}", refused, sizeof(refused));

        n_refused += status == 400 && strstr(refused, evidence[i]) != NULL &&
                     strstr(refused, "is not offered inside a worker") != NULL;
    }
    if (f == NULL)
        return 1;
    (void)fprintf(f,
                  "{\"dlp_id\": %s, \"valid\": true, \"score\": 1.0, \"metadata\": {\"key\": %d, "
                  "\"key_sum\": \"%lx\", \"other\": %d, \"other_sum\": \"%lx\", \"sign\": %d, "
                  "\"signed\": %s, \"refused\": %d, \"wrote\": %s}}\n",
                  getenv("DLP_ID"), key_status, sum_of(key), other_status, sum_of(other),
                  sign_status, strstr(sign, "\"signature\"") != NULL ? "true" : "false", n_refused,
                  unlink("/dev/dstack.sock") == 0 ? "true" : "false");
    return fclose(f) != 0;
}
