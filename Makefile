# SPDX-License-Identifier: GPL-2.0-or-later
# l2tpns: `make demo` shows it, `make check` tests it, `make install` installs it.

PREFIX  ?= /usr
SBINDIR  = $(DESTDIR)$(PREFIX)/sbin
MANDIR   = $(DESTDIR)$(PREFIX)/share/man
ETCDIR   = $(DESTDIR)/etc/l2tpns

CC      ?= gcc
CLANG   ?= clang
CFLAGS  ?= -O2 -g
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
LIBS     = -lcli -lcrypt -lmnl -lnettle -lsystemd

OBJS = \
	addr.o \
	auth.o \
	avp.o \
	cli.o \
	cli_show.o \
	config.o \
	config_item.o \
	counter.o \
	cp.o \
	cpopt.o \
	data.o \
	frame.o \
	hash.o \
	hook.o \
	idset.o \
	ip4.o \
	ipcp.o \
	ippool.o \
	ippool_file.o \
	iptab.o \
	l2tp.o \
	l2tp_chan.o \
	l2tpns.o \
	lcp.o \
	ll.o \
	local_users.o \
	log.o \
	loop.o \
	mschap.o \
	note.o \
	ppp.o \
	rad_auth.o \
	rad_reply.o \
	rad_server.o \
	rad_sess.o \
	radattr.o \
	radius.o \
	rtnl.o \
	session.o \
	shm.o \
	timer.o \
	tundev.o \
	tunnel.o \
	udp.o \
	users.o \
	util.o

.PHONY: all
all: $(if $(SAN),$(BUILD)/l2tpns,l2tpns)

l2tpns: $(BUILD)/l2tpns
	cp $< $@

$(BUILD)/l2tpns: $(addprefix $(BUILD)/,$(OBJS))
	$(CC) $(ALLLINK) -o $@ $^ $(LIBS)

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(ALLFLAGS) -MMD -MP -c -o $@ $<

-include $(wildcard build/*.d build/san/*.d)

.PHONY: clean
clean:
	rm -rf build l2tpns
