"""A mix from opened inputs and checked options: its plan, its fingerprint, its workers, and what it leaves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from pipelines.events import Note
from pipelines.fingerprint import RUN, Fingerprint
from pipelines.mixer import MixSpec
from pipelines.mixextras import SHEET, copy_extras, write_sheet
from pipelines.mixinputs import MixInputs
from pipelines.mixoptions import MixOptions
from pipelines.mixplan import PLAN
from pipelines.mixshards import FOLDER, SHARD, TREE, Packing
from pipelines.mixwork import MixWorkSpec
from pipelines.session import Session
from pipelines.summary import Summary
from pipelines.transfer import TransferSpec
from pipelines.units import WorkerSpec
from pipelines.worklist import WorkList, WorkListFile
from stylize.errors import BadInput, NotFound
from stylize.methods import weights_sha256
from stylize.storage import Storage


def make(out: Storage, inputs: MixInputs, options: MixOptions, session: Session) -> Summary:
    """Write the copies into `out`; errors are those of `mix`."""
    inputs.check_output(out)
    options.refuse_for_baseline(
        {"device": session.device is not None, "GPUs per worker": session.gpus_per_worker is not None}
    )
    work, pool = options.plan.build(inputs.contents, inputs.styles)
    packing = options.packing(work.units, inputs.contents.entries())
    if options.per_image > pool - (inputs.styles is None):  # of the same dataset, one is the picture itself
        few = f"{options.per_image} copies of each picture and {pool} exemplars: some copies will be alike"
        session.on_event(Note(text=few))
    fingerprint = _fingerprint(inputs, options, work, packing)
    spec = _spec(out, inputs, options, session, fingerprint, packing)
    if not options.stylizes:
        session = replace(session, device="cpu")  # a baseline must not wait for a GPU
    return session.execute(
        out,
        fingerprint,
        spec,
        files={PLAN: work.data},
        owned=owned,
        extras=lambda: [
            *copy_extras(inputs.dataset, out, session.on_event),
            *write_sheet(out, inputs.dataset, inputs.exemplars),
        ],
    )


def _fingerprint(inputs: MixInputs, options: MixOptions, work: WorkListFile, packing: Packing | None) -> Fingerprint:
    info = inputs.contents.info
    return Fingerprint(
        kind="mix",
        configuration={
            **options.configuration(info.num_ws),
            "styles": "intra" if inputs.styles is None else inputs.styles.run["inputs"]["sha256"],
            # Under a name of its own, because `format` is also the version of run.json, which hides it in comparisons.
            **({} if packing is None else {"packing": packing.format, "columns": packing.columns}),
        },
        weights=info.model_sha256 if options.stylizes else weights_sha256(options.method),
        inputs=work.sha256,
        rows=work.rows,
        units=work.units,
        sources={
            **inputs.sources,
            "layers": options.layers,
            "batch_size": options.batch_size if options.stylizes else None,
        },
    )


def _spec(
    out: Storage,
    inputs: MixInputs,
    options: MixOptions,
    session: Session,
    fingerprint: Fingerprint,
    packing: Packing | None,
) -> WorkerSpec:
    """Return the spec of the worker that the method asks for."""
    common = MixWorkSpec(
        out=out,
        cache=inputs.contents.storage,
        styles=inputs.styles.storage if inputs.styles else None,
        dataset=inputs.dataset,
        exemplars=inputs.exemplars,
        run=fingerprint.digest,
        io_threads=session.io_threads,
        least_score=options.min_content_score,
        weather=options.shares,
        packing=packing,
    )
    if inputs.model is None:
        return TransferSpec(**vars(common), method=options.method)
    return MixSpec(
        **vars(common),
        model=inputs.model,
        storage_options=out.options,
        layers=options.moved_layers(inputs.contents.info.num_ws),
        resized=options.resized,
        batch_size=options.batch_size,
        precision=options.precision,
        device=session.device,
    )


def owned(out: Storage) -> Iterator[str]:
    """Yield what a mix in `out` may have written without recording it, for `overwrite`."""
    yield SHEET
    if _format_of(out) != TREE:
        yield from (path for path in out.list(FOLDER) if SHARD.fullmatch(path))
        return
    try:
        work = WorkList(out.read(PLAN))
    except NotFound:
        return
    for unit in range(len(work)):
        for row in work.rows(unit):
            yield row["image"]
            yield from (label["path"] for label in row["labels"])


def _format_of(out: Storage) -> str:
    """Return the format of the run in `out`, which may be damaged."""
    try:
        return str(out.read_json(RUN)["configuration"]["format"])
    except (BadInput, KeyError, TypeError):
        return TREE
