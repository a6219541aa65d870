"""Two servers on one PostgreSQL, and a gateway that goes to the other one when its own is gone (EL-16)."""
import re

from jackfield_test import Case, main, wait_for
from jackfield_test.sql import ACCOUNT, OnPostgres, shipped


class TwoNodes(OnPostgres, Case):
    def setUp(self):
        super().setUp()
        keys = self.start_database()
        self.nodes = []
        for host in (1, 2):
            register = shipped()
            register["user.register"]["shared"] = "yes"
            self.nodes.append(self.server(start=False, address=self.address(host), modules=("sip", "callfork", "cdrbuild", "pgsqldb", "register"),
                                          settings={"pgsqldb": {ACCOUNT: keys}, "register": register, "jackfield": {"general": {"nodename": f"node{host}"}}}))
        one, two = self.nodes
        one.command("db", "init", ACCOUNT)
        self.passwords = {user: re.search(r"Password: (\S+)", one.command("user", "add", user).stdout)[1] for user in ("201", "202")}
        one.start()
        two.start()

    def gateway(self, node, port):
        """The gateway, which is at one place whichever server it talks to, with a Call-ID of its own for each."""
        return self.phone(node, "201", self.passwords["201"], address=self.address(9), port=port)

    def rings_once(self, node, gateway):
        caller = self.phone(node, "202", self.passwords["202"], address=self.address(8))
        call = caller.invite("201")
        incoming = gateway.incoming(seconds=6)
        incoming.accept()
        call.answered()
        call.bye()
        incoming.hung_up()
        gateway.expect_nothing(0.2, "INVITE")

    def test_EL_16_a_gateway_that_changes_nodes_leaves_no_second_binding_and_is_called_where_it_is(self):
        one, two = self.nodes
        before = self.gateway(one, 5080)
        before.register()
        self.rings_once(one, before)
        before.close()

        after = self.gateway(two, 5080)
        self.assertEqual(list(after.register().contacts), [after.contact])
        self.assertEqual(self.database.sql("SELECT count(*), max(nodename) FROM bindings WHERE username = '201'"), "1|node2")
        self.rings_once(two, after)

        one.kill()
        self.assertEqual(list(after.register().contacts), [after.contact])
        self.rings_once(two, after)

    def test_EL_16_the_binding_of_a_node_that_died_is_called_from_the_other_one_until_it_is_renewed_there(self):
        one, two = self.nodes
        before = self.gateway(one, 5081)
        before.register()
        before.close()
        one.kill()
        self.rings_once(two, self.gateway(two, 5081))  # it has not registered there yet

    def test_YT_16_a_node_that_was_killed_closes_its_own_records_and_counts_and_leaves_the_other_ones(self):
        one, two = self.nodes
        calls = []
        for node, port in ((one, 5082), (two, 5083)):
            gateway = self.gateway(node, port)
            gateway.register()
            call = self.phone(node, "202", self.passwords["202"], address=self.address(8)).invite("201")
            incoming = gateway.incoming(seconds=6)
            incoming.accept()
            call.answered()
            calls.append((call, incoming))
            gateway.register(expires=0)
        in_use = "SELECT count(*), max(nodename) FROM calls_in_use"
        wait_for("both calls to be counted", lambda: self.database.sql("SELECT count(DISTINCT nodename) FROM calls_in_use") == "2")
        of_two = self.database.sql(f"{in_use} WHERE nodename = 'node2'")
        one.kill()
        one.start()
        wait_for("the count of the one", lambda: self.database.sql(in_use) == of_two)
        lost = "SELECT nodename, count(*) FROM calls WHERE status = 'lost' GROUP BY nodename"
        wait_for("the records of the one", lambda: self.database.sql(lost) == "node1|2")
        call, incoming = calls[1]
        call.bye()
        incoming.hung_up()
        wait_for("the call of the other", lambda: self.database.sql(in_use) == "0|")
        self.assertEqual(self.database.sql("SELECT nodename, count(*) FROM calls WHERE ended = 1 AND status = 'answered' GROUP BY nodename"), "node2|2")


main()
