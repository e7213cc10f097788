"""How files are moved: what is compared, encrypted, counted, written down, and removed."""

from __future__ import annotations

import hashlib

from tests.e2e.orders.trial import SIZE, Trial, code, completed, names, shows, status
from tests.e2e.site import until


@shows("FileParameters/CreatePath")
def makes_the_destination_folder(trial: Trial) -> None:
    (failed,) = trial.push({}, target="new/folder/")
    assert status(failed) == "error"
    assert completed(trial.push({"FileParameters/CreatePath": "Yes"}, target="new/folder"))
    assert names(trial.far / "new/folder") == ["a.txt"]


@shows("FileParameters/ResumeCheck", "FileParameters/Overwrite")
def compares_what_is_there_as_asked(trial: Trial) -> None:
    target = trial.far / "to"
    other = bytearray(trial.file.read_bytes())
    other[SIZE // 2] ^= 1
    overwrite, check = "FileParameters/Overwrite", "FileParameters/ResumeCheck"
    for elements, replaced in (
        ({overwrite: "Diff", check: "Attributes"}, False),
        ({overwrite: "Diff", check: "Full Checksum"}, True),
        ({overwrite: "Never", check: "Full Checksum"}, False),
        ({overwrite: "Older", check: "None"}, False),
        ({overwrite: "Always", check: "Attributes"}, True),
    ):
        target.write_bytes(other)
        assert completed(trial.push(elements))
        assert (target.read_bytes() == trial.file.read_bytes()) is replaced, elements


@shows(
    "FileParameters/ManifestPolicy",
    "FileParameters/ManifestPath",
    "FileParameters/ManifestInprogressSuffix",
    "FileParameters/FileChecksum",
)
def writes_a_manifest_with_checksums(trial: Trial) -> None:
    folder = trial.tmp / "manifests"
    checksum = {"FileParameters/FileChecksum": "md5", "FileParameters/ManifestInprogressSuffix": ".busy"}
    assert completed(trial.push({**checksum, "FileParameters/ManifestPath": str(folder)}))
    (manifest,) = folder.iterdir()
    assert f"md5:{hashlib.md5(trial.file.read_bytes()).hexdigest()}" in manifest.read_text()
    assert completed(trial.push({"FileParameters/ManifestPolicy": "Text"}))
    assert len(list(trial.near.glob("*.manifest.txt"))) == 1
    slow = {"RateParameters/TargetRate": "0", "FileParameters/ManifestPath": str(trial.tmp / "slow")}
    job = trial.submit({**checksum, **slow})
    until(lambda: list((trial.tmp / "slow").glob("*.txt.busy")))
    trial.site.client.cancel_job(job)


@shows("FileParameters/Protection", "FileParameters/Passphrase")
def encrypts_at_rest_and_decrypts(trial: Trial) -> None:
    word = {"FileParameters/Passphrase": "open sesame"}
    assert completed(trial.push({**word, "FileParameters/Protection": "Encrypt"}))
    assert names(trial.far) == ["to.aspera-env"]
    assert trial.file.read_bytes()[:64] not in (trial.far / "to.aspera-env").read_bytes()
    decrypt = {"FileParameters/Protection": "Decrypt"}
    assert completed(trial.pull({**word, **decrypt}, "to.aspera-env", trial.near / "back"))
    assert (trial.near / "back").read_bytes() == trial.file.read_bytes()
    wrong = {"FileParameters/Passphrase": "wrong", **decrypt}
    assert code(trial.pull(wrong, "to.aspera-env", trial.near / "no")[0]) == 49


@shows("FileParameters/PreCalculateJobSize")
def counts_before_it_moves(trial: Trial) -> None:
    (info,) = trial.push({"FileParameters/PreCalculateJobSize": "Yes"})
    statistics = info
    assert (statistics.ExpectedFileCount, statistics.ExpectedByteCount) == (1, SIZE)


@shows("FileParameters/RemoveAfterTransfer", "FileParameters/RemoveEmptyDirectories")
def removes_sources(trial: Trial) -> None:
    source = trial.near / "source"
    (source / "sub").mkdir(parents=True)
    (source / "sub" / "f").write_text("f")
    assert completed(trial.push({"FileParameters/RemoveAfterTransfer": "Yes"}, source))
    assert names(source) == ["sub"]
    assert completed(trial.push({"FileParameters/RemoveEmptyDirectories": "Yes"}, source))
    assert names(source) == []
    assert (trial.far / "to" / "sub" / "f").exists()
