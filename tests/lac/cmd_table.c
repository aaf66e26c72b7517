/* Every command of the test LAC with its arguments: the parser and --help read this table. */
#include <stddef.h>

#include "cmd.h"

#define END                                                                                        \
	{                                                                                          \
		NULL, ARG_NUM, "", 0, 0, ""                                                        \
	}

static const struct arg_def none[] = { END };

static const struct arg_def tunnel_args[] = {
	{ "count", ARG_NUM, "1", 1, 65535, "how many" },
	{ "secret", ARG_WORD, "", 0, 0, "shared secret" },
	{ "challenge", ARG_BOOL, "", 0, 0, "challenge the LNS (default: when there is a secret)" },
	{ "hidden", ARG_BOOL, "no", 0, 0, "hide the AVPs that may be hidden" },
	{ "window", ARG_NUM, "64", 1, 65535, "Receive Window Size we advertise" },
	{ "hostname", ARG_WORD, "test-lac", 0, 0, "Host Name; %d: the tunnel's index" },
	{ "local", ARG_IP, "", 0, 0, "our address (default: option -a)" },
	{ "port", ARG_NUM, "", 0, 65535,
	    "our port; 0: a socket of its own for each tunnel (default: one socket for all)" },
	{ "hello", ARG_NUM, "0", 0, 86400, "send a HELLO so often, seconds; 0: never" },
	{ "tie_breaker", ARG_BOOL, "no", 0, 0, "send a Tie Breaker" },
	{ "avp", ARG_HEX, "", 0, 0, "more AVPs for the SCCRQ, complete" },
	{ "half", ARG_BOOL, "no", 0, 0, "never answer the SCCRP" },
	{ "timeout", ARG_NUM, "40", 1, 3600, "seconds to come up" },
	END,
};

static const struct arg_def session_args[] = {
	{ "count", ARG_NUM, "1", 1, 1000000, "how many" },
	{ "tunnel", ARG_RANGE, "all", 0, 0, "in which tunnels, in turn" },
	{ "user", ARG_WORD, "user%d", 0, 0, "user name; %d or %04d: the session's number" },
	{ "password", ARG_WORD, "secret", 0, 0, "password; %d as in user" },
	{ "first", ARG_NUM, "", 0, 0, "number of the first (default: its index)" },
	{ "auth", ARG_WORD, "pap", 0, 0, "pap, chap, any or none: what we agree to" },
	{ "mru", ARG_NUM, "0", 0, 9216, "MRU to ask for; 0: do not" },
	{ "calling", ARG_WORD, "", 0, 0, "Calling Number; %d as in user" },
	{ "called", ARG_WORD, "", 0, 0, "Called Number; %d as in user" },
	{ "ip", ARG_IP, "", 0, 0, "address to ask for" },
	{ "dns", ARG_BOOL, "yes", 0, 0, "ask for DNS servers" },
	{ "pfc", ARG_BOOL, "no", 0, 0, "offer and use protocol field compression" },
	{ "acfc", ARG_BOOL, "no", 0, 0, "offer and use address and control field compression" },
	{ "race", ARG_BOOL, "no", 0, 0, "Configure-Request right behind ICCN, before any ack" },
	{ "sequencing", ARG_BOOL, "no", 0, 0, "require sequenced data packets" },
	{ "length", ARG_BOOL, "no", 0, 0, "data packets with Length field" },
	{ "offset", ARG_NUM, "0", 0, 200, "data packets with Offset field and so much padding" },
	{ "proxy", ARG_BOOL, "no", 0, 0, "proxy LCP and proxy authentication AVPs" },
	{ "router", ARG_BOOL, "no", 0, 0, "take packets to any destination (Framed-Route)" },
	{ "tx_speed", ARG_NUM, "10000000", 0, 0, "Tx Connect Speed" },
	{ "rx_speed", ARG_NUM, "0", 0, 0, "Rx Connect Speed; 0: not sent" },
	{ "rate", ARG_NUM, "0", 0, 0, "new calls a second; 0: no limit" },
	{ "parallel", ARG_NUM, "200", 1, 100000, "calls being set up at once" },
	{ "per_tunnel", ARG_NUM, "0", 0, 65535,
	    "at most so many at once in a tunnel; 0: no limit" },
	{ "timeout", ARG_NUM, "30", 1, 3600, "seconds for each to come up" },
	{ "restart", ARG_NUM, "3000", 10, 60000, "PPP restart time, ms" },
	END,
};

static const struct arg_def close_args[] = {
	{ "session", ARG_RANGE, NULL, 0, 0, "which" },
	{ "how", ARG_WORD, "cdn", 0, 0,
	    "cdn; lcp: Terminate-Request, then CDN; vanish: without a word" },
	{ "result", ARG_NUM, "3", 0, 65535, "Result Code of the CDN" },
	{ "error", ARG_NUM, "0", 0, 65535, "Error Code of the CDN" },
	{ "timeout", ARG_NUM, "60", 1, 3600, "seconds to wait for the acknowledgements" },
	END,
};

static const struct arg_def stop_args[] = {
	{ "tunnel", ARG_RANGE, NULL, 0, 0, "which" },
	{ "result", ARG_NUM, "6", 0, 65535, "Result Code of the StopCCN" },
	{ "error", ARG_NUM, "0", 0, 65535, "Error Code of the StopCCN" },
	{ "timeout", ARG_NUM, "30", 1, 3600, "seconds to wait for the acknowledgement" },
	END,
};

static const struct arg_def wait_args[] = {
	{ "event", ARG_WORD, NULL, 0, 0,
	    "closed, ended (Terminate or closed), up, blast, received, quiet" },
	{ "session", ARG_RANGE, "", 0, 0, "which sessions" },
	{ "tunnel", ARG_RANGE, "", 0, 0, "which tunnels" },
	{ "packets", ARG_NUM, "1", 0, 0, "for received: pattern packets since the last reset" },
	{ "ms", ARG_NUM, "500", 1, 0, "for quiet: no pattern packet for so long" },
	{ "timeout", ARG_NUM, "10", 0, 86400, "seconds" },
	END,
};

static const struct arg_def list_args[] = {
	{ "session", ARG_RANGE, "all", 0, 0, "which" },
	{ "state", ARG_WORD, "", 0, 0, "only those in this state" },
	END,
};

static const struct arg_def tunnels_args[] = {
	{ "tunnel", ARG_RANGE, "all", 0, 0, "which" },
	END,
};

static const struct arg_def stats_args[] = {
	{ "session", ARG_RANGE, "", 0, 0, "of one session" },
	{ "reset", ARG_BOOL, "no", 0, 0, "zero them, and the sequence numbers of the traffic" },
	END,
};

static const struct arg_def ping_args[] = {
	{ "session", ARG_RANGE, NULL, 0, 0, "which" },
	{ "to", ARG_IP, NULL, 0, 0, "whom" },
	{ "from", ARG_IP, "", 0, 0, "inner source (default: the session's address)" },
	{ "size", ARG_NUM, "84", 28, 9216, "inner IP length" },
	{ "count", ARG_NUM, "1", 1, 65535, "rounds" },
	{ "timeout", ARG_NUM, "2000", 1, 600000, "ms to wait in each round" },
	{ "rate", ARG_NUM, "20000", 1, 10000000, "packets a second" },
	{ "df", ARG_BOOL, "no", 0, 0, "set Don't Fragment" },
	END,
};

static const struct arg_def echo_args[] = {
	{ "session", ARG_RANGE, NULL, 0, 0, "which" },
	{ "to", ARG_DEST, NULL, 0, 0, "the echo server" },
	{ "from", ARG_IP, "", 0, 0, "inner source (default: the session's address)" },
	{ "size", ARG_NUM, "100", 48, 9216, "inner IP length" },
	{ "count", ARG_NUM, "1", 1, 65535, "rounds" },
	{ "timeout", ARG_NUM, "2000", 1, 600000, "ms to wait in each round" },
	{ "rate", ARG_NUM, "20000", 1, 10000000, "packets a second" },
	{ "df", ARG_BOOL, "no", 0, 0, "set Don't Fragment" },
	END,
};

static const struct arg_def blast_args[] = {
	{ "session", ARG_RANGE, "all", 0, 0, "which, in turn" },
	{ "sessions", ARG_NUM, "", 1, 1000000, "only the first so many of them" },
	{ "to", ARG_DEST, NULL, 0, 0, "the sink" },
	{ "from", ARG_IP, "", 0, 0, "inner source (default: the session's address)" },
	{ "size", ARG_NUM, "64", 48, 9216, "inner IP length" },
	{ "burst", ARG_NUM, "1", 1, 1000000, "packets of a session in a row" },
	{ "pps", ARG_WORD, "max", 0, 0, "packets a second, or max" },
	{ "seconds", ARG_NUM, "5", 0, 86400, "how long" },
	{ "ms", ARG_NUM, "", 1, 86400000, "how long, finer" },
	{ "packets", ARG_NUM, "0", 0, 0, "stop after so many; 0: by time only" },
	{ "df", ARG_BOOL, "no", 0, 0, "set Don't Fragment" },
	{ "background", ARG_BOOL, "no", 0, 0, "answer at once; wait event=blast gives the result" },
	END,
};

static const struct arg_def spoof_args[] = {
	{ "session", ARG_RANGE, NULL, 0, 0, "which" },
	{ "from", ARG_IP, NULL, 0, 0, "the foreign source" },
	{ "to", ARG_DEST, NULL, 0, 0, "where to" },
	{ "size", ARG_NUM, "100", 48, 9216, "inner IP length" },
	{ "count", ARG_NUM, "1", 1, 1000000, "how many from each" },
	END,
};

static const struct arg_def raw_args[] = {
	{ "session", ARG_RANGE, "", 0, 0, "send it as a PPP frame of this session" },
	{ "tunnel", ARG_RANGE, "", 0, 0, "send it as a control message of this tunnel" },
	{ "hex", ARG_HEX, NULL, 0, 0,
	    "session: frame from protocol field (or FF03) on; tunnel: AVPs" },
	{ "mode", ARG_WORD, "reliable", 0, 0,
	    "tunnel: reliable; once: with the next Ns but no retransmission, Ns is not used up" },
	{ "sid", ARG_NUM, "0", 0, 65535, "tunnel: session id in the header" },
	{ "count", ARG_NUM, "1", 1, 1000000, "how many times" },
	END,
};

static const struct arg_def datagram_args[] = {
	{ "hex", ARG_HEX, NULL, 0, 0, "the UDP payload as it is" },
	{ "tunnel", ARG_RANGE, "", 0, 0, "from this tunnel's socket (default: the shared one)" },
	{ "local", ARG_IP, "", 0, 0, "from this address" },
	{ "count", ARG_NUM, "1", 1, 10000000, "how many times" },
	END,
};

static const struct arg_def attach_args[] = {
	{ "session", ARG_RANGE, NULL, 0, 0, "which" },
	{ "dev", ARG_WORD, NULL, 0, 0, "name of the tun device to make" },
	{ "detach", ARG_BOOL, "no", 0, 0, "remove it again" },
	END,
};

static const struct arg_def freeze_args[] = {
	{ "tunnel", ARG_RANGE, "", 0, 0, "which tunnels (default: all)" },
	{ "session", ARG_RANGE, "", 0, 0, "the PPP of these sessions instead" },
	END,
};

static const struct arg_def silent_args[] = {
	{ "session", ARG_RANGE, NULL, 0, 0, "which" },
	{ "on", ARG_BOOL, "yes", 0, 0, "no: answer again" },
	END,
};

static const struct arg_def mute_args[] = {
	{ "tunnel", ARG_RANGE, "all", 0, 0, "which" },
	{ "on", ARG_BOOL, "yes", 0, 0, "no: acknowledge again" },
	END,
};

static const struct arg_def trace_args[] = {
	{ "session", ARG_RANGE, "", 0, 0, "PPP control frames of these" },
	{ "tunnel", ARG_RANGE, "", 0, 0, "control messages of these" },
	{ "on", ARG_BOOL, "yes", 0, 0, "no: stop" },
	END,
};

static const struct arg_def loss_args[] = {
	{ "tx", ARG_NUM, "0", 0, 1000000, "of a million datagrams sent" },
	{ "rx", ARG_NUM, "0", 0, 1000000, "of a million datagrams received" },
	{ "twice", ARG_NUM, "0", 0, 1000000, "of a million control messages sent, send again" },
	END,
};

static const struct arg_def lazy_args[] = {
	{ "us", ARG_NUM, "300", 0, 100000, "microseconds; 0: at once again" },
	END,
};

static const struct arg_def events_args[] = {
	{ "on", ARG_BOOL, "yes", 0, 0, "no: none" },
	END,
};

static const struct arg_def sleep_args[] = {
	{ "ms", ARG_NUM, NULL, 0, 86400000, "how long; the LAC goes on serving" },
	END,
};

static const struct arg_def quit_args[] = {
	{ "how", ARG_WORD, "stop", 0, 0, "stop: StopCCN to all tunnels; vanish: without a word" },
	END,
};

const struct cmd cmd_table[] = {
	{ "tunnel", "open tunnels; answers when all are up or have failed", tunnel_args,
	    cmd_tunnel },
	{ "session", "set up sessions to open IPCP; answers when all are up or have failed",
	    session_args, cmd_session },
	{ "list", "an `item` line for each session, then the answer", list_args, cmd_list },
	{ "tunnels", "an `item` line for each tunnel, then the answer", tunnels_args, cmd_tunnels },
	{ "count", "numbers of tunnels and sessions by state", none, cmd_count },
	{ "stats", "counters", stats_args, cmd_stats },
	{ "ping", "ICMP echo requests, replies compared byte by byte", ping_args, cmd_ping },
	{ "echo", "UDP through an echo server and back, compared", echo_args, cmd_echo },
	{ "blast", "UDP load upstream, for `traffic sink`", blast_args, cmd_blast },
	{ "spoof", "UDP with a foreign inner source", spoof_args, cmd_spoof },
	{ "raw", "any PPP frame or control message", raw_args, cmd_raw },
	{ "datagram", "any UDP payload to the LNS", datagram_args, cmd_datagram },
	{ "attach", "put a session on a tun device", attach_args, cmd_attach },
	{ "freeze", "send and take nothing any more", freeze_args, cmd_freeze },
	{ "thaw", "undo freeze", freeze_args, cmd_thaw },
	{ "silent", "answer no LCP echo", silent_args, cmd_silent },
	{ "mute", "acknowledge no control message", mute_args, cmd_mute },
	{ "trace", "show control traffic as events", trace_args, cmd_trace },
	{ "loss", "lose or repeat datagrams at random", loss_args, cmd_loss },
	{ "lazy", "take input only so often, to cost little under load", lazy_args, cmd_lazy },
	{ "hello", "send a HELLO; answers when it is acknowledged", tunnels_args, cmd_hello },
	{ "close", "end sessions", close_args, cmd_close },
	{ "stop", "end tunnels with StopCCN", stop_args, cmd_stop },
	{ "wait", "wait for something to happen", wait_args, cmd_wait },
	{ "forget", "drop closed sessions and tunnels; indices start at 0 again", none,
	    cmd_forget },
	{ "events", "asynchronous `event` lines", events_args, cmd_events },
	{ "sleep", "do nothing for a while", sleep_args, cmd_sleep },
	{ "help", "names of the commands", none, cmd_show_help },
	{ "quit", "end", quit_args, cmd_do_quit },
	{ NULL, NULL, NULL, NULL },
};
