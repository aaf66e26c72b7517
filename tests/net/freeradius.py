"""FreeRADIUS with a configuration of its own, written by the test."""

import glob
import os
import re
import sqlite3

CONF = """
prefix = /usr
libdir = /usr/lib/freeradius
raddbdir = {dir}
logdir = {dir}
run_dir = {dir}
pidfile = {dir}/radiusd.pid
max_request_time = 10
cleanup_delay = 1
max_requests = 65536
hostname_lookups = no
log {{
    destination = stdout
    auth = yes
}}
security {{
    max_attributes = 200
    reject_delay = 0
    status_server = {status}
}}
thread pool {{
    start_servers = 2
    max_servers = 4
    min_spare_servers = 1
    max_spare_servers = 2
}}
client any {{
    ipaddr = 0.0.0.0/0
    secret = "{secret}"
    require_message_authenticator = {require}
}}
modules {{
    pap {{ }}
    chap {{ }}
    mschap {{
        use_mppe = yes
        require_encryption = no
    }}
    files {{
        usersfile = {dir}/users
    }}
    detail auth_detail {{
        filename = {dir}/auth-detail
    }}
    detail acct_detail {{
        filename = {dir}/acct-detail
    }}
    detail reply_detail {{
        filename = {dir}/reply-detail
    }}
    {sql}
}}
server default {{
    listen {{
        type = auth
        ipaddr = {address}
        port = {port}
    }}
    listen {{
        type = acct
        ipaddr = {address}
        port = {acct_port}
    }}
    authorize {{
        auth_detail
        chap
        mschap
        files
        pap
    }}
    authenticate {{
        Auth-Type PAP {{
            pap
        }}
        Auth-Type CHAP {{
            chap
        }}
        Auth-Type MS-CHAP {{
            mschap
        }}
    }}
    post-auth {{
        reply_detail
    }}
    accounting {{
        acct_detail
        {use_sql}
    }}
}}
"""

USE_SQL = """
        update request {
            &Acct-Unique-Session-Id := "%{md5:%{User-Name},%{Acct-Session-Id},%{NAS-IP-Address}}"
        }
        sql
"""
# Its own queries for accounting, in a database of the test.
QUERIES = "/etc/freeradius/3.0/mods-config/sql/main/sqlite"
SQL = """
    expr {{ }}
    sql {{
        dialect = "sqlite"
        driver = "rlm_sql_sqlite"
        sqlite {{
            filename = "{dir}/radius.db"
            busy_timeout = 2000
            bootstrap = "{queries}/schema.sql"
        }}
        radius_db = "radius"
        acct_table1 = "radacct"
        acct_table2 = "radacct"
        postauth_table = "radpostauth"
        authcheck_table = "radcheck"
        groupcheck_table = "radgroupcheck"
        authreply_table = "radreply"
        groupreply_table = "radgroupreply"
        usergroup_table = "radusergroup"
        client_table = "nas"
        group_attribute = "SQL-Group"
        read_groups = no
        $INCLUDE {queries}/queries.conf
    }}
"""


class FreeRadius:
    """A running server. `users` maps a name to (password, {attribute: value or list of values})."""

    def __init__(self, ns, folder, users, address, port=1812, secret="radsecret", require_message_authenticator=False,
                 sql=False, status_server=True):
        self.folder = str(folder)
        os.makedirs(self.folder, exist_ok=True)
        self.address, self.port, self.secret = address, port, secret
        self._write("radiusd.conf", CONF.format(
            dir=self.folder, address=address, port=port, acct_port=port + 1, secret=secret,
            require="yes" if require_message_authenticator else "no", status="yes" if status_server else "no", use_sql=USE_SQL if sql else "",
            sql=SQL.format(dir=self.folder, queries=QUERIES) if sql else ""))
        self._write("users", "".join(self._user(name, *entry) for name, entry in users.items()))
        self.ns = ns
        self.start()

    def start(self):
        self.process = self.ns.start("freeradius", "-f", "-l", "stdout", "-xx", "-d", self.folder, "-n", "radiusd",
                                     log=os.path.join(self.folder, "log"))
        self.process.wait_line("Ready to process requests", timeout=30)

    def _write(self, name, text):
        with open(os.path.join(self.folder, name), "w") as f:
            f.write(text)
        os.chmod(os.path.join(self.folder, name), 0o640)

    @staticmethod
    def _user(name, password, reply=None):
        items = []
        for attribute, value in (reply or {}).items():
            for n, one in enumerate(value if isinstance(value, list) else [value]):
                one = '"%s"' % one if isinstance(one, str) and not re.fullmatch(r"[\d.]+", one) else one
                items.append("\t%s %s %s" % (attribute, "+=" if n else "=", one))
        return '"%s" Cleartext-Password := "%s"\n%s\n\n' % (name, password, ",\n".join(items))

    def _detail(self, name):
        records = []
        for path in glob.glob(os.path.join(self.folder, name)):
            with open(path) as f:
                for block in f.read().split("\n\n"):
                    lines = [line.strip().split(" = ", 1) for line in block.splitlines()[1:]]
                    if lines:
                        records.append([(key, value.strip('"')) for key, value in filter(lambda x: len(x) == 2, lines)])
        return records

    @property
    def requests(self):
        """The Access-Requests, each as a list of (attribute, value) in their order."""
        return self._detail("auth-detail")

    @property
    def accounting(self):
        """The Accounting-Requests, each as a dict."""
        return [dict(record) for record in self._detail("acct-detail")]

    def rows(self, query):
        """What the database says."""
        with sqlite3.connect("file:%s/radius.db?mode=ro" % self.folder, uri=True, timeout=5) as db:
            db.row_factory = sqlite3.Row
            return [dict(row) for row in db.execute(query)]

    def close(self):
        self.process.kill()
