"""The work matrix in the process sandbox; other kinds run it in their own files."""

import pytest

from support.work_matrix import assert_work_succeeds


@pytest.mark.limit(90)
def test_everyday_work_succeeds_in_the_process_sandbox(work_world, make_home, canary):
    home = make_home(work_world.config(), work_world.environment, [canary])

    def run(command):
        done = home.run(*command)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert_work_succeeds(work_world, home, run)
