/* net/internal/curl.h - libcurl is set up once a process, before its first handle. */
#pragma once

#include <curl/curl.h>

/* A new handle. */
CURL *curl_handle_new(void);
