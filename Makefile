# SPDX-License-Identifier: GPL-2.0-or-later
# l2tpns: `make demo` shows it, `make check` tests it, `make install` installs it.

PREFIX  ?= /usr
SBINDIR  = $(DESTDIR)$(PREFIX)/sbin
PLUGDIR  = $(DESTDIR)$(PREFIX)/lib/l2tpns
INCDIR   = $(DESTDIR)$(PREFIX)/include/l2tpns
MANDIR   = $(DESTDIR)$(PREFIX)/share/man
DOCDIR   = $(DESTDIR)$(PREFIX)/share/doc/l2tpns
ETCDIR   = $(DESTDIR)/etc/l2tpns
UNITDIR ?= $(PREFIX)/lib/systemd/system

CC      ?= gcc
CLANG   ?= clang
CFLAGS  ?= -O2 -g
SHELL    = /bin/bash
PYTHON   = /usr/bin/python3
SECS    ?= 60

# WERROR=1 makes warnings errors, SAN=1 builds with ASan and UBSan into build/san.
WARN     = -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
           -Wcast-qual -Wcast-align=strict -Wvla -Wformat=2 $(if $(WERROR),-Werror)
HARDEN   = -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fPIE
HARDLINK = -pie -Wl,-z,relro,-z,now
LANG_    = -std=gnu11 -fms-extensions -D_GNU_SOURCE
SANFLAGS = -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer

BUILD    = $(if $(SAN),build/san,build)
ALLFLAGS = $(LANG_) $(WARN) $(CFLAGS) $(if $(SAN),$(SANFLAGS) -fPIE,$(HARDEN))
ALLLINK  = $(if $(SAN),$(SANFLAGS) -pie,$(HARDLINK)) $(LDFLAGS)
LIBS     = -lcli -lcrypt -ljansson -lmnl -lnettle -lsystemd

OBJS = \
	acct.o \
	acct_feed.o \
	acct_line.o \
	acct_mark.o \
	acct_number.o \
	acct_pool.o \
	acct_queue.o \
	acct_share.o \
	acct_spill.o \
	addr.o \
	arp.o \
	auth.o \
	avp.o \
	avpair.o \
	change.o \
	clcount.o \
	clfield.o \
	clfinal.o \
	clfwd.o \
	clguard.o \
	bgp.o \
	bgp_conn.o \
	bgp_fsm.o \
	bgp_input.o \
	bgp_peer.o \
	bgp_route.o \
	bgp_self.o \
	bgp_tcp.o \
	bgp_tell.o \
	bgp_view.o \
	bgp_why.o \
	bgpmsg.o \
	bgpupdate.o \
	cli.o \
	cli_acl.o \
	cli_bgp.o \
	cli_child.o \
	cli_config.o \
	cli_debug.o \
	cli_filter.o \
	cli_json.o \
	cli_peers.o \
	cli_policy.o \
	cli_show.o \
	cli_stats.o \
	cli_tree.o \
	clmsg.o \
	clleave.o \
	clpeers.o \
	clpending.o \
	clpost.o \
	clrec.o \
	clroutes.o \
	clsame.o \
	clshare.o \
	clsock.o \
	clstatus.o \
	clstream.o \
	clsync.o \
	cltwin.o \
	clwarn.o \
	cluster.o \
	command.o \
	config.o \
	config_acl.o \
	config_bgp.o \
	config_family.o \
	config_forward.o \
	config_item.o \
	config_lac.o \
	config_plugin.o \
	config_save.o \
	config_server.o \
	config_show.o \
	control.o \
	counter.o \
	cp.o \
	cpopt.o \
	ctlguard.o \
	ctlmsg.o \
	dae.o \
	dae_find.o \
	dae_guard.o \
	dae_msg.o \
	data.o \
	dgram.o \
	dump.o \
	election.o \
	ended.o \
	evict.o \
	filter.o \
	frame.o \
	gso.o \
	handover.o \
	hash.o \
	heir.o \
	hook.o \
	icmp.o \
	idset.o \
	ifaddr.o \
	ip4.o \
	ipcp.o \
	ippool.o \
	ippool_file.o \
	iptab.o \
	json.o \
	l2tp.o \
	l2tp_call.o \
	l2tp_chan.o \
	l2tp_say.o \
	l2tpns.o \
	lcp.o \
	ll.o \
	local_users.o \
	log.o \
	log_target.o \
	login_queue.o \
	loop.o \
	mschap.o \
	note.o \
	order.o \
	pidfile.o \
	plugin.o \
	plugin_func.o \
	policy.o \
	ppp.o \
	privilege.o \
	proxy.o \
	rad_acct.o \
	rad_auth.o \
	rad_reply.o \
	rad_server.o \
	rad_sess.o \
	rad_sock.o \
	radattr.o \
	radius.o \
	reload.o \
	repl.o \
	repl_offer.o \
	repl_state.o \
	role.o \
	resolve.o \
	rtnl.o \
	session.o \
	shm.o \
	snoop.o \
	tbf.o \
	textfile.o \
	timer.o \
	tundev.o \
	tunnel.o \
	udp.o \
	usage.o \
	usage_ended.o \
	usage_file.o \
	usage_garden.o \
	usage_report.o \
	usage_share.o \
	usage_writer.o \
	users.o \
	utf8.o \
	util.o

PLUGINS = \
	autosnoop \
	autothrottle \
	garden \
	sessionctl \
	setrxspeed \
	snoopctl \
	stripdomain \
	throttlectl

LIB      = $(BUILD)/libl2tpns.a
UNITS    = $(patsubst tests/unit/%.c,%,$(wildcard tests/unit/*_test.c))
FUZZERS  = $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
CORPORA  = $(notdir $(wildcard tests/fuzz/corpus/*))
LAC_OBJS = $(patsubst %.c,%.o,$(filter-out %/radresp.c %/traffic.c,$(wildcard tests/lac/*.c)))
LAC_LIB  = $(filter-out %/lac.o,$(LAC_OBJS))
PYTEST   = $(PYTHON) -m pytest -q -p no:cacheprovider tests/net

.PHONY: all
all: $(BUILD)/l2tpns $(BUILD)/nsctl $(if $(SAN),,l2tpns nsctl) plugins

.PHONY: plugins
plugins: $(patsubst %,$(BUILD)/plugins/%.so,$(PLUGINS))

l2tpns nsctl: %: build/%
	ln -f $< $@

$(BUILD)/l2tpns: $(addprefix $(BUILD)/,$(OBJS))
	$(CC) $(ALLLINK) -o $@ $^ $(LIBS)

$(BUILD)/nsctl: $(BUILD)/nsctl.o $(LIB)
	$(CC) $(ALLLINK) -o $@ $^ -lnettle

$(LIB): $(addprefix $(BUILD)/,$(filter-out l2tpns.o,$(OBJS)))
	rm -f $@
	$(AR) rc $@ $^

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(ALLFLAGS) -I. -MMD -MP -c -o $@ $<

$(BUILD)/plugins/%.so: %.c plugin.h
	@mkdir -p $(@D)
	$(CC) $(filter-out -fPIE,$(ALLFLAGS)) -fPIC -I. -shared $(filter-out -pie,$(ALLLINK)) -o $@ $<

-include $(wildcard build/*.d build/*/*.d build/*/*/*.d)

# --- what building and testing need ---

DEPS = gcc make libcli-dev nettle-dev libmnl-dev libcrypt-dev libsystemd-dev libjansson-dev \
       libcmocka-dev clang libclang-rt-14-dev llvm-14 clang-format clang-tidy bear pkg-config \
       freeradius freeradius-utils user-mode-linux kmod xl2tpd ppp iproute2 iptables iperf3 \
       iputils-ping ethtool tcpdump telnet procps python3 python3-pytest python3-pytest-xdist \
       libcap2-bin mandoc systemd logrotate bird2 frr ifupdown

.PHONY: deps
deps:
	@missing=$$(dpkg-query -W -f '$${db:Status-Status} $${Package}\n' $(DEPS) 2>/dev/null | \
	    sed -n 's/^installed //p' | sort | comm -13 - <(printf '%s\n' $(DEPS) | sort)); \
	if [ -n "$$missing" ]; then \
	    echo "installing:" $$missing; \
	    apt-get update -q && DEBIAN_FRONTEND=noninteractive \
	        apt-get install -q -y --no-install-recommends $$missing; \
	fi

# --- tests ---

.PHONY: check check-unit check-net check-fuzz check-san check-long
check: deps
	$(MAKE) all tools
	$(MAKE) check-unit
	$(MAKE) check-net
	$(MAKE) check-fuzz

check-unit: $(addprefix $(BUILD)/tests/unit/,$(UNITS)) | plugins
	@for t in $^; do echo "$$t"; ./$$t 2>&1 | grep -v '^\[ *\(RUN\|OK\) ' ; \
	    [ $${PIPESTATUS[0]} -eq 0 ] || exit 1; done

$(BUILD)/tests/unit/%: $(BUILD)/tests/unit/%.o $(LIB)
	$(CC) $(ALLLINK) -o $@ $^ -lcmocka $(LIBS)

check-net: all tools
	$(PYTEST) -n 2 -m 'not long'

check-long: all tools
	$(PYTEST) -n 2 -m 'not package'

# builds the Debian package, installs it in a bare Debian; wants Debian's mirror
.PHONY: check-package
check-package: DEPS += debhelper debootstrap dpkg-dev git lintian
check-package: deps
	$(MAKE) all tools
	$(PYTEST) -m package

check-fuzz: $(patsubst %,$(BUILD)/tests/fuzz/replay_%,$(CORPORA))
	@for f in $(CORPORA); do \
	    $(BUILD)/tests/fuzz/replay_$$f tests/fuzz/corpus/$$f || exit 1; done

$(BUILD)/tests/fuzz/replay_%: $(BUILD)/tests/fuzz/fuzz_%.o $(BUILD)/tests/fuzz/replay_main.o $(LIB)
	$(CC) $(ALLLINK) -o $@ $^ $(LIBS)

check-san: deps
	$(MAKE) SAN=1 all check-unit check-fuzz
	$(MAKE) tools
	L2TPNS=build/san/l2tpns $(PYTEST) -m san

.PHONY: fuzz
fuzz: $(addprefix build/fuzz/,$(FUZZERS))
	@for f in $(patsubst fuzz_%,%,$(FUZZERS)); do \
	    echo "== $$f"; mkdir -p build/fuzz/corpus/$$f; \
	    build/fuzz/fuzz_$$f -max_total_time=$(SECS) -print_final_stats=1 -verbosity=0 \
	        -artifact_prefix=build/fuzz/ build/fuzz/corpus/$$f tests/fuzz/corpus/$$f || exit 1; done

build/fuzz/%: tests/fuzz/%.c $(patsubst %.o,%.c,$(filter-out l2tpns.o,$(OBJS)))
	@mkdir -p $(@D)
	$(CLANG) $(LANG_) -Wno-microsoft-anon-tag -O1 -g -fsanitize=fuzzer,address,undefined \
	    -fno-sanitize-recover=undefined -I. -o $@ $^ $(LIBS)

# --- tools of the tests: a LAC, a RADIUS responder, a traffic generator, a clock ---

.PHONY: tools
tools: tests/lac/lac tests/lac/radresp tests/lac/traffic build/tests/net/stepclock.so \
       build/tests/net/speaker

build/tests/net/speaker: build/tests/net/speaker.o $(LIB)
	$(CC) $(ALLLINK) -o $@ $^ $(LIBS)

build/tests/net/stepclock.so: tests/net/stepclock.c
	@mkdir -p $(@D)
	$(CC) $(LANG_) $(WARN) $(CFLAGS) -fPIC -shared -o $@ $<

tests/lac/lac: $(addprefix build/,$(LAC_OBJS))
	$(CC) $(HARDLINK) -o $@ $^ -lnettle

tests/lac/radresp tests/lac/traffic: tests/lac/%: build/tests/lac/%.o build/tests/lac/tools.a
	$(CC) $(HARDLINK) -o $@ $^ -lnettle

build/tests/lac/tools.a: $(addprefix build/,$(LAC_LIB))
	rm -f $@
	$(AR) rc $@ $^

build/tests/bench/iptab_bench: build/tests/bench/iptab_bench.o build/libl2tpns.a
	$(CC) $(ALLLINK) -o $@ $^ $(LIBS)

.PHONY: demo bench
demo: deps
	@$(MAKE) -s all tools
	@$(PYTHON) tests/demo.py

bench: deps
	$(MAKE) all tools build/tests/bench/iptab_bench
	build/tests/bench/iptab_bench
	$(PYTHON) tests/bench/bench.py $(if $(LNS),--old $(LNS))

# --- the rest ---

.PHONY: install format tidy clean
install: all
	install -D -m 755 build/l2tpns $(SBINDIR)/l2tpns
	install -D -m 755 build/nsctl $(SBINDIR)/nsctl
	install -D -m 644 Docs/l2tpns.8 $(MANDIR)/man8/l2tpns.8
	install -D -m 644 Docs/nsctl.8 $(MANDIR)/man8/nsctl.8
	install -D -m 644 Docs/startup-config.5 $(MANDIR)/man5/startup-config.5
	install -d -m 755 $(DOCDIR)
	install -m 644 Docs/*.md $(DOCDIR)
	install -d -m 755 $(PLUGDIR)
	install -m 644 $(patsubst %,build/plugins/%.so,$(PLUGINS)) $(PLUGDIR)
	install -D -m 644 plugin.h $(INCDIR)/plugin.h
	install -d -m 755 $(ETCDIR)
	for f in startup-config users; do \
	    [ -e $(ETCDIR)/$$f ] || install -m 600 etc/$$f $(ETCDIR); done
	for f in ip_pool build-garden; do \
	    [ -e $(ETCDIR)/$$f ] || install -m 644 etc/$$f $(ETCDIR); done
	install -d -m 700 $(DESTDIR)/var/lib/l2tpns
	install -d -m 755 $(DESTDIR)$(UNITDIR)
	sed 's|/usr/sbin/|$(PREFIX)/sbin/|' etc/l2tpns.service >$(DESTDIR)$(UNITDIR)/l2tpns.service
	chmod 644 $(DESTDIR)$(UNITDIR)/l2tpns.service
	[ -e $(DESTDIR)/etc/logrotate.d/l2tpns ] || \
	    install -D -m 644 etc/l2tpns.logrotate $(DESTDIR)/etc/logrotate.d/l2tpns

format:
	clang-format -i *.[ch] tests/unit/*.c tests/fuzz/*.c tests/lac/*.[ch]

tidy:
	clang-tidy --quiet *.c -- $(LANG_) -Wno-microsoft-anon-tag

clean:
	rm -rf build l2tpns nsctl tests/lac/lac tests/lac/radresp tests/lac/traffic
