"""How images are run, where that is not a question of a whole environment."""

from gatehouse.image_profile import TEMPORARY_FILES
from gatehouse.profiles.custom import custom_profile


def test_any_image_is_run_with_what_is_known_of_it_and_nothing_else() -> None:
    profile = custom_profile(port=9000, ready_path="/ready", user="1001", command=["serve"])
    assert (profile.port, profile.ready_path, profile.container.user) == (9000, "/ready", "1001")
    assert profile.container.command == ["serve"]
    assert profile.container.entry_point is None
    assert profile.container.settings.environment == {}
    assert profile.container.settings.secrets == {}
    assert profile.container.temporary_mib == TEMPORARY_FILES
    # What health checks the image has programs for is not known.
    assert profile.health_command is None
    assert not profile.permissions
    assert profile.database_user is None
    assert profile.migrations is None


def test_an_image_s_own_command_stays() -> None:
    profile = custom_profile(port=9000, ready_path="/ready", user="1001", command=[])
    assert profile.container.command is None
