"""Device-side update: a bundle is tested before it is activated, and the previous one can be restored by one rename.

An update passes through these states; the power may fail in any of them.

    fetch       a release is downloaded or copied. Nothing else on the device changes.
    verify      signatures, digests and every byte of the bundle are checked. Nothing of the device changes.
    stage       the bundle is copied into a separate slot, flushed, and renamed into place.
    self_test   a child process replays the golden vectors on this device, and measures latency and memory.
                A child that dies, hangs, answers otherwise or needs too much has failed.
    activate    the link ``current`` is exchanged for one to the candidate, by one rename.
    watch       the camera runs the candidate. Every start is counted.
    commit      it was healthy long enough: the candidate is the running bundle, the running one the previous.
    roll_back   anything else: ``current`` goes back to the running bundle, and the candidate is refused from now on.

                 +--------------------------- roll_back <----------------+-----------+
                 v                                                       |           |
    fetch -> verify -> stage -> (journal) self_test -> activate -> watch --> commit  |
                                              |                                      |
                                              +---------- failed --------------------+

The journal knows four of them: ``self_test``, ``activate``, ``watch`` and ``roll_back``; else it is ``idle``. What
comes before ``self_test`` leaves nothing but files that the next attempt removes, and ``commit`` is one write of the
journal. A step first does its work and then writes the next state; done again, it does no harm.

On disk, in one folder:

    journal.json            the state; the running, the previous and the candidate's slot; starts counted
    current                 link to the bundle that the camera runs
    slots/NAME-VERSION-ID/  bundles, complete or not there; ID is from the digest of the manifest

What holds after every cut, and is tested at every write:

    The camera starts with a bundle that gives the laboratory's answers on this device.
    The running bundle, the previous one and the built-in one are never deleted.
    No bundle runs that did not pass its self-test, or that was refused.
    A candidate whose camera does not become healthy in ``most_starts`` starts is rolled back.

The parts: ``install.state_machine`` has the pure transitions; ``journal`` and ``slots`` are the disk; ``self_test`` is
the child; ``updater`` combines them; ``trial_monitor`` connects them with a running camera.
"""
