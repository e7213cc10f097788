"""Tests of the transfer process, against a real OpenSSH sshd where there is one."""
