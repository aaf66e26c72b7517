/* A session on a tun device, so that ordinary programs can use it. */
#ifndef LAC_ATTACH_H
#define LAC_ATTACH_H

#include "lac.h"

/* Makes the device, with the session's address and MTU; false with errno. */
bool attach_session(struct session *s, const char *name);
void attach_detach(struct session *s);
void attach_output(struct session *s, const uint8_t *p, size_t n);

#endif
