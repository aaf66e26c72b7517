/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The way of a record between the tables (repl_state.h) and the fields of a message
 * (repl.h). Here is decided what of two states of one object stays: the newer version, but
 * in a full synchronisation what the master says, and of what is offered by a master that
 * steps down, nothing that our own mastership has changed since.
 *
 * Called by clstream.c and clsync.c.
 */
#include "clrec.h"
#include "acct.h"
#include "acct_number.h"
#include "acct_share.h"
#include "clcount.h"
#include "clshare.h"
#include "clstream.h"
#include "clsync.h"
#include "cluster.h"
#include "counter.h"
#include "ended.h"
#include "log.h"
#include "repl_offer.h"
#include "repl_state.h"
#include "session.h"
#include "tunnel.h"

static struct repl_session session; /* in hand: some 8 KB */

static bool
put_session(struct wr *w, sess_id id)
{
	if (session_export(id, &session))
		return repl_put_session(w, &session);
	return repl_put_gone(w, REPL_SESSION, id, change_version(CHANGE_SESSION, id));
}

static bool
put_tunnel(struct wr *w, tunn_id id)
{
	struct repl_tunnel t;

	if (tunnel_export(id, &t))
		return repl_put_tunnel(w, &t);
	return repl_put_gone(w, REPL_TUNNEL, id, change_version(CHANGE_TUNNEL, id));
}

bool
clrec_put(struct wr *w, enum change_kind kind, uint32_t id)
{
	if (!change_version(kind, id))
		return true;
	return kind == CHANGE_TUNNEL ? put_tunnel(w, id) : put_session(w, id);
}

/* --- on a slave --- */

/* The first word of a synchronisation about a place counts, whatever we thought of it before. */
static void
meet(const struct repl_record *rec)
{
	enum change_kind kind = rec->kind == REPL_TUNNEL ? CHANGE_TUNNEL : CHANGE_SESSION;

	if ((rec->kind == REPL_TUNNEL || rec->kind == REPL_SESSION) &&
	    !clsync_met(rec->kind, rec->id))
		change_set_version(kind, rec->id, 0);
}

static enum install
apply_session(const struct repl_record *rec)
{
	if (rec->gone)
		return session_remove(rec->id, rec->version);
	return repl_get_session(rec, &session) ? session_install(&session) : INSTALL_REFUSED;
}

static enum install
apply_tunnel(const struct repl_record *rec)
{
	struct repl_tunnel t;

	if (rec->gone)
		return tunnel_remove(rec->id, rec->version);
	return repl_get_tunnel(rec, &t) ? tunnel_install(&t) : INSTALL_REFUSED;
}

static enum install
apply_chan(const struct repl_record *rec)
{
	struct repl_chan c;

	if (rec->gone)
		return INSTALL_OLD; /* the tunnel's own record tells what was acknowledged */
	return repl_get_chan(rec, &c) ? chan_install(&c) : INSTALL_REFUSED;
}

static enum install
apply_count(const struct repl_record *rec)
{
	struct repl_count c;

	if (!repl_get_count(rec, &c))
		return INSTALL_REFUSED;
	clcount_merge(&c);
	return INSTALL_DONE;
}

/* Records of kinds that we do not know are a newer version's: nothing is wrong. */
static enum install
apply(const struct repl_record *rec)
{
	meet(rec);
	switch (rec->kind) {
	case REPL_SESSION:
		return apply_session(rec);
	case REPL_TUNNEL:
		return apply_tunnel(rec);
	case REPL_CHAN:
		return apply_chan(rec);
	case REPL_COUNT:
		return apply_count(rec);
	default:
		return clshare_apply(rec);
	}
}

static bool
refused(const struct repl_record *rec)
{
	COUNT(cluster_refused);
	plog_limit(LOG_CALL, "cluster: record %u of kind %u cannot be installed", rec->id,
	    (unsigned)rec->kind);
	return false;
}

/* What the stream tells of a session may come before the synchronisation has told of its tunnel; it
 * will tell of the session too. */
static bool
is_wrong(enum install result)
{
	return result == INSTALL_REFUSED || (result == INSTALL_EARLY && !clsync_under_way());
}

bool
clrec_apply(struct rd fields)
{
	struct repl_record rec;
	bool good = true;

	while (repl_next(&fields, &rec)) {
		COUNT(cluster_changes);
		if (is_wrong(apply(&rec)))
			good = refused(&rec);
		change_seen_version(rec.version);
	}
	if (fields.bad)
		COUNT(cluster_malformed);
	return good && !fields.bad;
}

/* --- on a master --- */

/*
 * One that we have, wherever, and have not touched since our mastership began: what is newer comes
 * from one who went on from there too. One that we have not is news, but when we have ended it.
 */
static bool
may_take_session(const struct repl_session *r)
{
	sess_id ours = session_by_unique(r->rec.unique);

	if (ours)
		return change_version(CHANGE_SESSION, ours) <= clstream_base() ||
		       session_came_up_there(r, ours);
	return !ended_has(r->rec.unique);
}

/* A place that is free, and was changed: an old tunnel there has ended with us. */
static bool
may_take_tunnel(const struct repl_tunnel *r)
{
	const struct tunnel *t = tunnel_get(r->id);

	if (change_version(CHANGE_TUNNEL, r->id) <= clstream_base())
		return true;
	if (t)
		return t->wire_tid != r->wire_tid || t->peer_tid != r->peer_tid;
	return (uint64_t)r->age_ds * 100 < cluster_master_age_ms();
}

/* Who heard nobody has ended sessions that go on here: their Stop is still to come. What both have
 * ended, since the peer has told both, has had it. */
static enum install
take_acct(const struct repl_record *rec)
{
	static struct repl_acct a;

	if (!repl_get_acct(rec, &a))
		return INSTALL_REFUSED;
	if (!a.done && a.status == RAD_ACCT_STOP &&
	    (acct_goes_on(a.key) || ended_has((uint32_t)a.key))) {
		acct_number_refuse(a.origin, a.id);
		return INSTALL_OLD;
	}
	return (enum install)acct_install(&a);
}

/* One that is as it was before there were two of us says only which it is. */
static enum install
take_tunnel(const struct repl_record *rec)
{
	struct repl_tunnel t;

	if (!repl_get_tunnel(rec, &t))
		return INSTALL_REFUSED;
	tunnel_match(&t);
	if (t.version <= clstream_base() && t.version <= change_version(CHANGE_TUNNEL, t.id))
		return INSTALL_OLD; /* as it was before there were two of us */
	if (may_take_tunnel(&t))
		return tunnel_offer(&t);
	tunnel_resync(&t);
	return INSTALL_OLD;
}

static enum install
take_session(const struct repl_record *rec)
{
	if (!repl_get_session(rec, &session))
		return INSTALL_REFUSED;
	if (may_take_session(&session))
		return session_offer(&session);
	session_agree(&session);
	return INSTALL_OLD;
}

static enum install
take_end(const struct repl_record *rec)
{
	struct repl_ended e;

	if (!repl_get_ended(rec, &e))
		return INSTALL_REFUSED;
	return session_ended_elsewhere(&e);
}

/* A tombstone says no more than that the place was used otherwise. */
static enum install
take(const struct repl_record *rec)
{
	if (rec->gone)
		return INSTALL_OLD;
	switch (rec->kind) {
	case REPL_TUNNEL:
		return take_tunnel(rec);
	case REPL_SESSION:
		return take_session(rec);
	case REPL_ENDED:
		return take_end(rec);
	case REPL_ACCT:
		return take_acct(rec);
	case REPL_COUNT:
		return apply_count(rec);
	default:
		return clshare_apply(rec);
	}
}

bool
clrec_take_offer(struct rd fields)
{
	struct repl_record rec;
	bool good = true;

	while (repl_next(&fields, &rec))
		if (take(&rec) == INSTALL_REFUSED)
			good = refused(&rec);
	if (fields.bad)
		COUNT(cluster_malformed);
	return good && !fields.bad;
}
