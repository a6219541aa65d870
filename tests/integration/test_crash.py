"""Nothing acknowledged is lost (D10): kill -9 while registrations pour in, start again, and every one that had its 200 is there."""
import threading
import time

from jackfield_test import Case, main

USERS = 60
PASSWORD = "an old song"


class Crash(Case):
    def setUp(self):
        super().setUp()
        self.jackfield = self.server({f"u{i}": PASSWORD for i in range(USERS)} | {"caller": PASSWORD})

    def user(self, name, **options):
        return self.phone(self.jackfield, name, PASSWORD, **options)

    def test_YT_12_every_acknowledged_registration_survives_kill_9_under_load(self):
        phones = [self.user(f"u{i}") for i in range(USERS)]
        acknowledged = {}
        stop = threading.Event()

        def keep_registering(mine):
            while not stop.is_set():
                for phone in mine:
                    try:
                        # A duration of its own each time, so that an older binding cannot pass for a newer one.
                        expires = 1000 + len(phone.trace)
                        answer = phone.register(expires=expires)
                        acknowledged[phone] = (time.time() + answer.contacts[phone.contact])
                    except (AssertionError, OSError):
                        if not stop.is_set():
                            raise
                        return

        threads = [threading.Thread(target=keep_registering, args=(phones[i::3],)) for i in range(3)]
        for thread in threads:
            thread.start()
        time.sleep(1.0)
        deadline = time.monotonic() + 10
        while len(acknowledged) <= USERS // 2 and time.monotonic() < deadline:
            time.sleep(0.05)
        stop.set()
        self.jackfield.kill()
        for thread in threads:
            thread.join()
        self.assertGreater(len(acknowledged), USERS // 2)

        self.jackfield.start()
        for phone, expires_at in acknowledged.items():
            left = self.user(phone.user).register([]).contacts
            self.assertIn(phone.contact, left)
            self.assertGreaterEqual(left[phone.contact], expires_at - time.time() - 2)

    def test_YT_12_a_user_is_called_within_a_second_after_a_crash(self):
        phone = self.user("u0")
        phone.register()
        caller = self.user("caller")
        self.jackfield.kill()
        self.jackfield.start()
        begin = time.monotonic()
        call = caller.invite("u0")
        incoming = phone.incoming()
        self.assertLess(time.monotonic() - begin, 1)
        incoming.accept()
        call.answered()
        call.bye()
        incoming.hung_up()

    def test_an_unregistered_phone_does_not_come_back(self):
        phone = self.user("u0")
        phone.register()
        phone.unregister()
        self.jackfield.kill()
        self.jackfield.start()
        self.assertEqual(phone.register([]).contacts, {})

    def test_YT_12_bindings_on_connections_end_with_the_process(self):
        udp, tcp = self.user("u0"), self.user("u0", transport="tcp")
        udp.register()
        tcp.register()
        self.jackfield.kill()
        self.jackfield.start()
        self.assertEqual(list(udp.register([]).contacts), [udp.contact])


main()
