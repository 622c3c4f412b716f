/* light/layout_end.h - takes back the words of light/layout.h. */
#pragma once

#undef RECORD
#undef VALUE
#undef MAP
#undef MAP2
#undef LIST
#undef LIST_OF
#undef SET
#undef SET_OF
#undef ST_FIELD
#undef ST_READ
#undef ST_GET
#undef ST_KEY
#undef ST_PUT
#undef ST_NAME
#undef ST_CAT
#undef ST_CAT_
