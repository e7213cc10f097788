"""What a client asks of the far side: its command line as terms and arguments of an exchange, and its own files."""

from __future__ import annotations

import os
from dataclasses import astuple

from asperacentral import __version__
from asperacentral.openascp.confined import Files, confined
from asperacentral.openascp.exchange.contents import Contents
from asperacentral.openascp.exchange.conversation import Conversation
from asperacentral.openascp.exchange.half import Half, HalfObserver
from asperacentral.openascp.exchange.messages import FEATURES, VERSION, Argument, Hello
from asperacentral.openascp.exchange.paths import own_name
from asperacentral.openascp.exchange.plane import StreamSource
from asperacentral.openascp.exchange.planes import Planes
from asperacentral.openascp.exchange.receiving import ReceivingHalf
from asperacentral.openascp.exchange.sending import SendingHalf
from asperacentral.openascp.exchange.terms import DECRYPT, ENCRYPT, Terms
from asperacentral.openascp.exchange.unsealing import Unsealing
from asperacentral.openascp.files import filecrypt
from asperacentral.openascp.files.afterwards import Afterwards
from asperacentral.openascp.files.attributes import Preserve
from asperacentral.openascp.files.filecrypt import Passphrase
from asperacentral.openascp.files.selection import TimeLimits
from asperacentral.openascp.landing import landing
from asperacentral.openascp.options import Options, Secrets


def terms(options: Options) -> Terms:
    """What both halves must know of the command line."""
    limits = options.limits
    return Terms(
        destination=options.destination,
        several=options.several or bool(options.placed) or len(options.sources) > 1,
        persistent=options.keepalive,
        create_path=options.create_path,
        overwrite=options.overwrite,
        resume_level=options.resume_level,
        partial_tag=options.partial_tag.encode(),
        partial_suffix=os.fsencode(options.partial_suffix),
        # Until the link is measured: as fast as it goes.
        target_rate=options.largest_rate if options.measure else options.target_rate,
        minimum_rate=options.minimum_rate,
        policy=options.policy,
        part=[] if options.part[1] == 1 else [*options.part, options.multi_session_threshold],
        udp_port=options.udp_port,
        rules=[[rule.pattern, rule.exclude] for rule in options.rules],
        limits=[] if limits == TimeLimits() else [limits.newest, limits.oldest],
        links=options.links,
        skip_special=options.skip_special,
        skip_duplicates=options.skip_duplicates,
        preserve=[] if options.preserve == Preserve() else list(astuple(options.preserve)),
        save=options.save,
        save_suffix=os.fsencode(options.save_suffix),
        checksum=options.checksum,
        manifest=options.manifest != "none",
        manifest_suffix=os.fsencode(options.manifest_suffix),
        delete_before=options.delete_before,
        file_crypt=options.file_crypt,
        precalculate=options.precalculate and not options.keepalive,
        afterwards=[] if options.afterwards == Afterwards() else list(astuple(options.afterwards)),
    )


def hello(options: Options, secrets: Secrets, terms: Terms, ssh_cipher: str) -> Hello | None:
    """The client's first word; None where there is nothing to ask for. `ssh_cipher` is what SSH encrypts with."""
    if not options.sources and not options.keepalive:
        return None
    return Hello(
        VERSION,
        __version__,
        options.session_id,
        options.sending,
        terms.written(),
        cipher(options),
        secrets.token,
        secrets.cookie,
        options.sources[0] if options.sources else b"",
        FEATURES,
        ssh_cipher,
    )


def cipher(options: Options) -> str:
    """The cipher that is asked for, by its name in FASP."""
    return options.cipher.replace("aes", "aes-")


def arguments(options: Options) -> list[Argument]:
    """The sources, and where they go."""
    first, end = options.byte_range
    names = options.placed or [own_name(source) for source in options.sources]
    return [
        Argument(index, source, name, options.destination, first, end)
        for index, (source, name) in enumerate(zip(options.sources, names, strict=True))
    ]


def contents(options: Options, secrets: Secrets) -> Contents:
    """What travels of this machine's files."""
    if options.file_crypt != ENCRYPT:
        return Contents()
    return Contents(Passphrase(secrets.file_passphrase), crypt_salt(options))


def unsealing(options: Options, secrets: Secrets) -> Unsealing | None:
    """What decrypts files that come."""
    return Unsealing(Passphrase(secrets.file_passphrase)) if options.file_crypt == DECRYPT else None


def crypt_salt(options: Options) -> bytes:
    """The salt of all files that are encrypted for one destination."""
    return filecrypt.salt_of(options.host.encode(), options.user.encode(), options.destination)


def half(
    options: Options,
    secrets: Secrets,
    conversation: Conversation,
    observer: HalfObserver,
    files: Files,
    terms: Terms,
    planes: Planes,
) -> Half:
    """The client's half of the exchange."""
    if options.sending:

        async def plane(source: StreamSource) -> None:
            await planes.send(source, conversation)

        return SendingHalf(conversation, observer, files, terms, plane, contents(options, secrets))
    sealed = unsealing(options, secrets)
    return ReceivingHalf(conversation, observer, files, terms, planes.receive, sealed)


def files(options: Options) -> Files:
    """This machine's files for the client's half; where it may get links from the far side, with walls."""
    everything = confined(None)
    if options.sending or not options.links.startswith("copy"):
        return everything
    return landing(everything, [argument.destination for argument in arguments(options)])
