"""What the kernel says a server's processes cost: processor time, memory, wake-ups."""
import os
import time


def cpu_seconds(pids):
    """User and system time of all threads, ended ones too, to the nanosecond: the process CPU clock of each."""
    total = 0
    for pid in pids:
        try:
            total += time.clock_gettime_ns((~pid << 3) | 2)
        except OSError:
            pass
    return total / 1e9


def memory_bytes(pids):
    """The processes' share of memory (Pss), so that what they have in common counts once."""
    total = 0
    for pid in pids:
        with open(f"/proc/{pid}/smaps_rollup") as file:
            total += sum(int(line.split()[1]) for line in file if line.startswith("Pss:"))
    return total * 1024


def wake_ups(pids):
    """How often a thread of these processes has waited and was woken (voluntary context switches)."""
    total = 0
    for pid in pids:
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/status") as file:
                total += sum(int(line.split()[1]) for line in file if line.startswith("voluntary_ctxt_switches"))
    return total


def stay_undisturbed():
    """Other work on the machine shall not change what we measure; without the right to ask for that we go on without."""
    try:
        os.setpriority(os.PRIO_PROCESS, 0, -20)
        with open("/proc/self/autogroup", "w") as file:
            file.write("-20")
    except OSError:
        pass
