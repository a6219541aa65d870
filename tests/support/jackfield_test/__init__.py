"""What the integration tests are written with: the built server, scripted phones, sipp, baresip and private networks.

A test file holds one or more classes derived from Case and ends with main(). Everything a test starts dies with it.
"""
from .busdoor import Answer, BusDoor
from .case import Case, main
from .network import Lan, Namespace, enter_private_network, join
from .phone import Phone
from .processes import wait_for
from .sip import Message

__all__ = ["Answer", "BusDoor", "Case", "Lan", "Message", "Namespace", "Phone", "enter_private_network", "join", "main", "wait_for"]
