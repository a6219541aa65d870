"""Connections that register at other servers: when, how often, what a reload changes, and where they go when a server fails. The far
ends are Kamailios, stopped and started and told what to refuse; each logs every request it received."""
import re
import time

from jackfield_test import Case, main
from jackfield_test.processes import wait_for

MODULES = ("sip", "regfile", "accfile", "callfork", "cdrbuild", "cdrfile")


class Connections(Case):
    def site(self, accounts, sip=None, users=None, start=True, general=None):
        settings = {"accfile": {**({"general": general} if general else {}), **accounts}}
        if sip:
            settings["sip"] = {"general": sip}
        return self.server(users, settings=settings, modules=MODULES, start=start)

    def account(self, *servers, **keys):
        """A registration at these far ends, in that order."""
        hosts = ",".join(server.address[0] for server in servers)
        return {"type": "registration", "servers": hosts, "username": "4930", "password": "far secret", "interval": "60", "retry_interval": "1",
                "invite_total_timeout": "500", **{key: str(value) for key, value in keys.items()}}

    def registered(self, server, name="far", seconds=8.0):
        def state():
            told = server.command("connection", "show", name, check=False).stdout
            return re.search(r"^state +registered", told, re.MULTILINE) and told
        return wait_for(f"connection {name} to be registered:\n{server.command('connection', 'list', check=False).stdout}", state, seconds)

    def change(self, server, accounts):
        """Writes another accfile.conf and has it read."""
        server.settings["accfile"] = accounts
        server.write_settings()
        server.command("reload", "accfile")


class Registrations(Connections):
    users = {"4930": "far secret"}

    def test_SP_6_ZY_2_we_register_with_digest_and_unregister_at_the_end(self):
        far = self.kamailio(users=self.users)
        server = self.site({"far": self.account(far)})
        self.registered(server)
        first, second = far.expect(2)[:2]
        self.assertEqual((first.auth_user, second.auth_user), ("<null>", "4930"))
        self.assertEqual(first.call_id, second.call_id)
        self.assertEqual(second.cseq, first.cseq + 1)
        self.assertEqual(second.expires, 60)
        server.stop()
        last = far.requests("REGISTER")[-1]
        self.assertEqual((last.expires, last.call_id, last.auth_user), (0, first.call_id, "4930"))

    def test_SP_6_what_is_granted_counts_and_is_refreshed_in_time(self):
        far = self.kamailio(max_expires=10)
        server = self.site({"far": self.account(far, interval=300)})
        self.assertIn("10 s of 300 s asked for", self.registered(server))
        first, second = far.expect(2, seconds=14)[:2]
        self.assertEqual((second.call_id, second.cseq, second.contact), (first.call_id, first.cseq + 1, first.contact))
        self.assertTrue(6 <= second.time - first.time <= 8.5, f"{second.time - first.time} s")  # 65 to 75 %, with jitter

    def test_SP_6_a_server_that_grants_90_s_is_asked_again_before_they_are_over(self):
        far = self.kamailio(max_expires=90)
        server = self.site({"far": self.account(far, interval=300)})
        shown = self.registered(server)
        self.assertIn("90 s of 300 s asked for", shown)
        left = int(re.search(r"next attempt +in (\d+)", shown)[1])
        self.assertTrue(50 <= left <= 68, shown)

    def test_SP_6_one_423_raises_the_interval_once(self):
        far = self.kamailio()
        far.answers("423:600")
        server = self.site({"far": self.account(far, interval=300)})
        self.registered(server)
        self.assertEqual([request.expires for request in far.requests("REGISTER")], [300, 600])

    def test_SP_8_P_8_a_refusal_is_shown_with_its_reason_and_tried_again(self):
        far = self.kamailio()
        far.answers("403")
        server = self.site({"far": self.account(far, retry_interval=1)})
        far.expect(2)  # never given up
        shown = wait_for("the refusal to be shown", lambda: (text := server.command("connection", "show", "far").stdout) and "403" in text and text)
        self.assertNotRegex(shown, r"(?m)^state +registered")
        self.assertIn("next attempt", shown)
        self.assertIn("far=4930|offline", server.command("status", "sip accounts").stdout)
        far.answers("")
        self.registered(server)
        self.assertIn("far=4930|online", server.command("status", "sip accounts").stdout)
        self.assertRegex(server.command("accounts").stdout, r"far\tsip\tonline")

    def test_SP_8_a_wrong_password_is_no_storm(self):
        far = self.kamailio(users={"4930": "another secret"})
        server = self.site({"far": self.account(far, retry_interval=60)})
        far.expect(2)
        self.assertNotRegex(server.command("connection", "show", "far").stdout, r"(?m)^state +registered")
        time.sleep(1)  # that nothing comes can only be waited for
        self.assertLessEqual(len(far.requests("REGISTER")), 3)

    def test_N_14_one_registration_is_renewed_or_taken_back_by_command(self):
        far = self.kamailio()
        server = self.site({"far": self.account(far), "other": self.account(far, username="4931")})
        self.registered(server)
        self.registered(server, "other")
        mine = lambda: [request for request in far.requests("REGISTER") if "4930@" in request.to_uri]
        before = mine()
        server.command("connection", "register", "far")
        wait_for("one more REGISTER", lambda: len(mine()) > len(before))
        self.assertEqual(mine()[-1].call_id, before[-1].call_id)
        self.assertGreater(mine()[-1].cseq, before[-1].cseq)
        server.command("connection", "unregister", "far")
        wait_for("the un-REGISTER", lambda: mine()[-1].expires == 0)
        self.assertEqual(len(far.requests("REGISTER")) - len(mine()), 1)

    def test_EL_14_the_registrar_is_another_machine_than_the_server(self):
        proxy, registrar = self.kamailio(20), self.kamailio(21)
        server = self.site({"far": self.account(proxy, registrar=registrar.address[0])})
        self.registered(server)
        self.assertEqual(len(registrar.requests("REGISTER")), 1)
        self.assertEqual(proxy.requests("REGISTER"), [])

    def test_EL_14_everything_goes_by_the_outbound_proxy(self):
        proxy = self.kamailio(20, domain="registrar.invalid")
        server = self.site({"far": {**self.account(proxy), "servers": "registrar.invalid", "outbound": proxy.address[0]}})
        self.registered(server)
        self.assertEqual(proxy.requests("REGISTER")[0].uri, "sip:registrar.invalid")

    def test_EL_15_the_domain_stands_in_the_addresses_and_by_choice_in_the_request_uri(self):
        far = self.kamailio(domain="far.example")
        accounts = {"a": self.account(far, domain="far.example"), "b": self.account(far, username="4931", domain="far.example", use_domain="yes")}
        server = self.site(accounts)
        self.registered(server, "a")
        self.registered(server, "b")
        uris = {request.to_uri: request.uri for request in far.requests("REGISTER")}
        self.assertEqual(uris, {"sip:4930@far.example": f"sip:{far.address[0]}", "sip:4931@far.example": "sip:far.example"})

    def test_EL_15_the_way_is_kept_open_with_options(self):
        far = self.kamailio()
        server = self.site({"far": self.account(far, keepalive=1, keepalive_method="options")})
        self.registered(server)
        far.expect(2, "OPTIONS")

    def test_EL_3_a_silent_server_gets_the_request_again_at_doubling_intervals(self):
        far = self.kamailio()
        far.answers("silent")
        self.site({"far": self.account(far, invite_initial_timeout=200, invite_total_timeout=4000, retry_interval=60)})
        requests = far.expect(4)[:4]
        self.assertEqual(len({request.cseq for request in requests}), 1)
        gaps = [after.time - before.time for before, after in zip(requests, requests[1:])]
        for gap, expected in zip(gaps, (0.2, 0.4, 0.8)):
            self.assertTrue(expected * 0.8 <= gap <= expected * 1.8, f"{gaps}")


class Reload(Connections):
    def test_ZY_5_a_reload_sends_one_packet_for_each_change_and_none_for_what_stayed(self):
        far = self.kamailio()
        accounts = {f"a{n}": self.account(far, username=f"49{n}") for n in range(4)}
        accounts["off"] = {**self.account(far, username="4999"), "enabled": "no"}
        server = self.site(accounts)
        for name in ("a0", "a1", "a2", "a3"):
            self.registered(server, name)
        before = {request.to_uri: request for request in far.requests("REGISTER")}
        self.assertEqual(len(far.requests("REGISTER")), 4)

        self.change(server, accounts)
        changed = {**accounts, "off": self.account(far, username="4999"), "new": self.account(far, username="4998")}
        changed["a1"] = {**accounts["a1"], "interval": "90"}
        del changed["a3"]
        self.change(server, changed)
        for name in ("off", "new"):
            self.registered(server, name)
        after = far.expect(8)[4:]
        said = sorted((request.to_uri.split(":")[1].split("@")[0], request.expires) for request in after)
        self.assertEqual(said, [("491", 90), ("493", 0), ("4998", 60), ("4999", 60)])
        again = next(request for request in after if "491@" in request.to_uri)
        self.assertEqual(again.call_id, before[again.to_uri].call_id)
        time.sleep(0.5)  # that nothing else comes can only be waited for
        self.assertEqual(len(far.requests("REGISTER")), 8)

    def test_ZY_5_connection_enable_registers_at_once_and_disable_unregisters(self):
        far = self.kamailio()
        server = self.site({"far": {"enabled": "no", **self.account(far)}})
        time.sleep(0.3)
        self.assertEqual(far.requests("REGISTER"), [])
        server.command("connection", "enable", "far")
        self.registered(server)
        server.command("connection", "disable", "far")
        wait_for("the un-REGISTER", lambda: far.requests("REGISTER")[-1].expires == 0)
        self.assertEqual(len(far.requests("REGISTER")), 2)

    def test_accounts_reload_reads_the_file_and_accounts_commands_reach_one_or_all(self):
        far = self.kamailio()
        accounts = {"far": self.account(far)}
        server = self.site(accounts)
        self.registered(server)
        server.settings["accfile"] = {**accounts, "new": self.account(far, username="4931")}
        server.write_settings()
        server.command("accounts", "reload")
        self.registered(server, "new")
        self.assertEqual(len(far.requests("REGISTER")), 2)
        server.command("accounts", "logout", "far")
        wait_for("the un-REGISTER", lambda: far.requests("REGISTER")[-1].expires == 0)
        server.command("accounts", "login")
        self.registered(server)
        self.assertEqual(len(far.requests("REGISTER")), 4)

    def test_SP_6_connection_add_registers_at_once_and_remove_unregisters(self):
        far = self.kamailio()
        server = self.site({})
        server.command("connection", "add", "far", "--type", "registration", "--server", far.address[0], "--username", "4930")
        self.registered(server)
        self.assertEqual(far.requests("REGISTER")[0].expires, 300)
        server.command("connection", "remove", "far")
        wait_for("the un-REGISTER", lambda: far.requests("REGISTER")[-1].expires == 0)
        self.assertIn("no connections", server.command("connection", "list").stdout)

    def test_SP_12_a_trunk_for_everybody_is_refused_and_stays_disabled(self):
        server = self.site({"t": {"type": "trunk", "server": self.address(9), "allowed": "0.0.0.0/0"}})
        self.assertRegex(server.command("check", check=False).stdout, r"accfile\.conf:1: .*account t stays disabled: allowed: 0\.0\.0\.0/0 is everybody")
        self.assertNotIn("trunk", server.command("connection", "list").stdout)
        refused = server.command("connection", "add", "u", "--type", "trunk", "--server", self.address(9), "--allowed", "::/0", check=False)
        self.assertEqual(refused.returncode, 1)
        self.assertIn("everybody", refused.stderr)
        self.assertEqual(server.command("connection", "enable", "t", check=False).returncode, 1)


class Many(Connections):
    def test_ZY_4_500_connections_are_all_registered_within_15_s_of_the_start(self):
        far = self.kamailio()
        accounts = {f"c{n}": self.account(far, username=str(50000 + n), interval=600, retry_interval=2, invite_total_timeout=3000) for n in range(500)}
        server = self.site(accounts, start=False)
        begin = time.monotonic()
        server.start(15)
        users = wait_for("500 users at the far end", lambda: len(found := {r.to_uri for r in far.requests("REGISTER")}) == 500 and found, 20)
        self.assertEqual(len(users), 500)
        wait_for("all to be online", lambda: server.command("status", "sip accounts").stdout.count("|online") == 500, 20)
        times = sorted(request.time for request in far.requests("REGISTER"))
        self.assertLess(times[-1] - times[0], 15)
        busiest = max(sum(1 for t in times if start <= t < start + 1) for start in times[::25])
        self.assertLessEqual(busiest, 150, "sip.conf registrations_per_second is 50")
        self.assertLess(time.monotonic() - begin, 60)

    def test_1000_connections_cost_memory_in_proportion(self):
        far = self.kamailio()
        accounts = {f"c{n}": self.account(far, username=str(50000 + n), interval=600, retry_interval=2, invite_total_timeout=3000) for n in range(1100)}
        server = self.site(dict(list(accounts.items())[:100]), sip={"registrations_per_second": "500"})

        def memory(connections):
            wait_for(f"{connections} to be online", lambda: server.command("status", "sip accounts").stdout.count("|online") == connections, 30)
            with open(f"/proc/{server.process.pid}/status", encoding="ascii") as file:
                return next(int(line.split()[1]) for line in file if line.startswith("VmRSS"))
        few = memory(100)
        self.change(server, accounts)
        each = (memory(1100) - few) / 1000
        self.assertLess(each, 32, "KiB for each connection that is registered")

    def test_ZY_5_one_change_among_1000_connections_is_one_packet(self):
        far = self.kamailio()
        accounts = {f"c{n}": self.account(far, username=str(50000 + n), interval=600, retry_interval=2, invite_total_timeout=3000) for n in range(1000)}
        server = self.site(accounts, sip={"registrations_per_second": "500"})
        wait_for("all to be online", lambda: server.command("status", "sip accounts").stdout.count("|online") == 1000, 30)
        count = len(far.requests("REGISTER"))
        accounts["c500"] = {**accounts["c500"], "interval": "700"}
        self.change(server, accounts)
        wait_for("the changed one", lambda: len(far.requests("REGISTER")) > count)
        time.sleep(0.5)  # that nothing else comes can only be waited for
        changes = far.requests("REGISTER")[count:]
        self.assertEqual([(request.to_uri.split("@")[0], request.expires) for request in changes], [("sip:50500", 700)])


class Failover(Connections):
    def test_EL_1_EL_5_the_servers_are_tried_in_order_and_the_registration_is_renewed_where_we_land(self):
        one, two, three = (self.kamailio(host, start=False) for host in (20, 21, 22))
        two.start()
        three.start()
        server = self.site({"far": self.account(one, two, three)})
        self.registered(server)
        self.assertEqual(len(two.requests("REGISTER")), 1)
        self.assertEqual(three.requests("REGISTER"), [])
        self.assertRegex(server.command("connection", "show", "far").stdout, re.escape(two.address[0]) + r" +\(in use\)")

    def test_EL_2_408_503_and_silence_move_on_403_404_and_486_do_not(self):
        for mode in ("408", "503", "silent"):
            with self.subTest(mode):
                self.moves(mode, True)
        for mode in ("403", "404", "486"):
            with self.subTest(mode):
                self.moves(mode, False)

    def moves(self, mode, expected):
        if not hasattr(self, "pair"):
            self.pair = self.kamailio(20), self.kamailio(21)
            self.jackfield = self.site({})
        one, two = self.pair
        one.answers(mode)
        before = len(two.requests("REGISTER")), len(one.requests("REGISTER"))
        name = f"m{mode}"
        self.change(self.jackfield, {name: self.account(one, two, username=mode, invite_total_timeout=300)})
        if expected:
            self.registered(self.jackfield, name)
            self.assertEqual(len([r for r in two.requests("REGISTER")[before[0]:] if r.expires]), 1)
        else:
            one.expect(before[1] + 2)  # tried again where it was refused
            self.assertEqual([r for r in two.requests("REGISTER") if f"{mode}@" in r.to_uri], [])
        one.answers("")

    def test_EL_6_parking_stays_where_it_landed_and_goes_on_to_the_next(self):
        one, two, three = (self.kamailio(host) for host in (20, 21, 22))
        one.stop()
        server = self.site({"far": self.account(one, two, three, interval=4)})
        self.registered(server)
        one.start()
        count = len(two.requests("REGISTER"))
        two.expect(count + 2, seconds=12)  # refreshes stay there
        self.assertEqual(one.requests(), [])
        two.stop()
        three.expect(1, seconds=12)
        self.registered(server)
        self.assertEqual(one.requests(), [])

    def test_EL_7_after_the_last_one_comes_the_first_and_nobody_gives_up(self):
        one, two = (self.kamailio(host, start=False) for host in (20, 21))
        server = self.site({"far": self.account(one, two, retry_interval=1, interval=4)})
        wait_for("a failure to be shown", lambda: re.search(r"(?m)^reason", server.command("connection", "show", "far").stdout))
        two.start()
        self.registered(server)
        two.stop()
        one.start()
        one.expect(1, seconds=15)
        self.registered(server)

    def homes(self, homing):
        one, two = self.kamailio(20, start=False), self.kamailio(21)
        server = self.site({"far": self.account(one, two, homing=homing, homing_interval=1)})
        self.registered(server)
        self.assertEqual(len(two.requests("REGISTER")), 1)
        one.start()
        wait_for("the connection to come home",
                 lambda: re.search(re.escape(one.address[0]) + r" +\(in use\)", server.command("connection", "show", "far").stdout), 8)
        self.registered(server)
        registers = [request for request in one.requests("REGISTER") if request.expires]
        self.assertEqual(len(registers), 1)
        self.assertEqual([request.expires for request in two.requests("REGISTER")], [60], "the old copy lapses, it is not taken back (D18)")
        return one, two

    def test_EL_8_EL_11_homing_with_options(self):
        one, _ = self.homes("options")
        self.assertTrue(one.requests("OPTIONS"))

    def test_EL_9_EL_11_homing_with_register(self):
        one, _ = self.homes("register")
        self.assertEqual(one.requests("OPTIONS"), [])

    def test_P_8_a_server_that_forgot_everything_knows_us_again_with_the_next_refresh(self):
        far = self.kamailio()
        server = self.site({"far": self.account(far, interval=4)})
        self.registered(server)
        far.stop()
        far.start()
        count = len(far.requests("REGISTER"))
        far.expect(count + 1, seconds=12)
        self.registered(server)

    def test_ZY_7_a_failed_registration_is_tried_again_within_seconds_not_after_512(self):
        far = self.kamailio(start=False)
        server = self.site({"far": self.account(far, retry_interval=1)})
        time.sleep(1.5)
        self.assertNotRegex(server.command("connection", "show", "far").stdout, r"(?m)^state +registered")
        far.start()
        self.registered(server, seconds=6)


if __name__ == "__main__":
    main()
