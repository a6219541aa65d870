"""A server without work leaves the processor alone: all of its threads together wake up once a second."""
import os
import time

from jackfield_test import Case, main

SECONDS = 4


def wake_ups(pid):
    """How often a thread of this process has waited and was woken (voluntary context switches)."""
    total = 0
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/status") as status:
            total += sum(int(line.split()[1]) for line in status if line.startswith("voluntary_ctxt_switches"))
    return total


class Idle(Case):
    def test_with_a_phone_registered_it_wakes_up_once_a_second(self):
        jackfield = self.server({"101": "an old song"})
        phone = self.phone(jackfield, "101", "an old song")
        phone.register()
        time.sleep(1)
        before = wake_ups(jackfield.process.pid)
        time.sleep(SECONDS)
        self.assertLessEqual(wake_ups(jackfield.process.pid) - before, SECONDS + 1)


main()
