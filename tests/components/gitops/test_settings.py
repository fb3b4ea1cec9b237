from pathlib import Path

import pytest

from components.contracts.errors import ConfigurationError
from components.gitops import settings as names
from components.gitops.forges.api import repository_path
from components.gitops.settings import git_settings, repository_settings

GITHUB = {names.URL: "https://github.com/shop/deploy.git", names.TOKEN_FILE: "/etc/token"}


def test_only_environments_beside_local_live_in_git(monkeypatch: pytest.MonkeyPatch) -> None:
    assert git_settings("production") is None
    for name, value in GITHUB.items():
        monkeypatch.setenv(name, value)
    assert git_settings("local") is None
    settings = git_settings("production")
    assert settings is not None
    assert (settings.forge, settings.branch, settings.staging_hours) == ("github", "main", 0)
    assert settings.place == "https://github.com/shop/deploy.git (main)"


def test_the_short_form_of_an_ssh_address_is_read() -> None:
    files = {names.SSH_KEY_FILE: "/etc/key", names.KNOWN_HOSTS_FILE: "/etc/known_hosts"}
    settings = repository_settings(GITHUB | files | {names.URL: "git@github.com:shop/deploy.git"})
    assert settings is not None
    assert (settings.url, settings.is_ssh) == ("ssh://git@github.com/shop/deploy.git", True)
    assert settings.place == "ssh://github.com/shop/deploy.git (main)"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {names.URL: "https://ann:secret-7@github.com/shop/deploy.git"},
            "found a user or password in https://github.com/",
        ),
        ({names.URL: "/srv/deploy.git"}, "expected https://HOST/OWNER/REPOSITORY.git"),
        ({names.URL: "https://github.com"}, "expected https://HOST/OWNER/REPOSITORY.git"),
        ({names.URL: "file:///srv/deploy.git"}, "expected https://HOST/OWNER/REPOSITORY.git"),
        ({names.URL: "https://git.shop.example/shop/deploy.git"}, "RANKLOOP_GIT_FORGE: found nothing, expected one of"),
        (
            {names.FORGE: "bitbucket"},
            "found bitbucket, expected one of github, gitlab, gitea, none",
        ),
        ({names.TOKEN_FILE: ""}, "RANKLOOP_GIT_TOKEN_FILE: found nothing, expected a file with a token"),
        (
            {names.URL: "git@github.com:shop/deploy.git"},
            "expected RANKLOOP_GIT_SSH_KEY_FILE and .*keyscan",
        ),
        ({names.AUTHOR: "Rankloop"}, "RANKLOOP_GIT_AUTHOR: found 'Rankloop', expected NAME <ADDRESS>"),
        ({names.STAGING_HOURS: "a day"}, "RANKLOOP_GIT_STAGING_HOURS: found 'a day', expected hours"),
        ({names.STAGING_HOURS: "nan"}, "RANKLOOP_GIT_STAGING_HOURS: found 'nan', expected hours"),
        ({names.STAGING_HOURS: "-1"}, "RANKLOOP_GIT_STAGING_HOURS: found '-1', expected hours"),
    ],
)
def test_wrong_settings_are_reported_with_their_fix(changes: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message) as caught:
        repository_settings(GITHUB | changes)
    assert "secret-7" not in str(caught.value)


@pytest.mark.parametrize("text", [None, "", "two words", "söme\n", "line\nbreak"])
def test_a_file_without_a_token_is_reported_without_its_content(tmp_path: Path, text: str | None) -> None:
    file = tmp_path / "token"
    if text is not None:
        file.write_text(text)
    settings = repository_settings(GITHUB | {names.TOKEN_FILE: str(file)})
    assert settings is not None
    with pytest.raises(
        ConfigurationError, match=r"RANKLOOP_GIT_TOKEN_FILE: \S+ (holds no token|cannot be read)"
    ) as caught:
        settings.token()
    assert not text or text.strip() not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "api", "path"),
    [
        ("https://github.com/shop/deploy.git", "https://api.github.com", "shop/deploy"),
        ("https://git.example.org/shop/deploy", "https://git.example.org/api/v1", "shop/deploy"),
        ("https://example.org/git/shop/deploy.git", "https://example.org/git/api/v1", "shop/deploy"),
        ("https://gitlab.com/shop/group/deploy.git", "https://gitlab.com/api/v4", "shop/group/deploy"),
    ],
)
def test_a_forge_below_a_folder_names_its_repositories_without_it(url: str, api: str, path: str) -> None:
    settings = repository_settings(GITHUB | {names.URL: url, names.FORGE: "gitea"})
    assert settings is not None
    assert repository_path(settings, api) == path
