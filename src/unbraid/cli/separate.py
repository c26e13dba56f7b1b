"""`unbraid separate`: from the options to a request, and the outcome on the terminal."""

from pathlib import Path

from unbraid.cli import options as opt
from unbraid.cli.console import notice, say
from unbraid.cli.report import Report, StemsResult, reported


def separate(
    inputs: opt.Inputs,
    model: opt.ModelForContent = None,
    output: opt.Output = ".",
    stems: opt.Stems = None,
    remove: opt.Remove = None,
    two_stems: opt.TwoStems = None,
    report: opt.Report = False,
    format: opt.StemFormat = "wav",
    subtype: opt.Subtype = None,
    bitrate: opt.Bitrate = None,
    template: opt.Template = "{track}/{stem}.{ext}",
    resample: opt.Resample = False,
    overwrite: opt.Overwrite = False,
    resume: opt.Resume = False,
    recursive: opt.Recursive = False,
    start: opt.Start = 0.0,
    duration: opt.Duration = None,
    track: opt.AudioTrack = "0",
    input_format: opt.InputFormat = None,
    strict: opt.Strict = False,
    skip_damage: opt.SkipDamage = False,
    speakers: opt.Speakers = None,
    enrol: opt.Enrol = None,
    only: opt.Only = None,
    embedder: opt.Embedder = None,
    wiener: opt.Wiener = False,
    wiener_iterations: opt.WienerIterations = None,
    mask_exponent: opt.MaskExponent = None,
    overlap: opt.Overlap = None,
    shifts: opt.Shifts = 0,
    residual: opt.Residual = False,
    high_band: opt.HighBand = "share",
    raw: opt.Raw = False,
    force: opt.Force = False,
    precision: opt.Precision = "float32",
    yes: opt.Yes = False,
    device: opt.Device = "auto",
    threads: opt.Threads = None,
    jobs: opt.Jobs = 1,
    server: opt.Server = None,
    as_json: opt.AsJson = False,
    quiet: opt.Quiet = False,
    verbose: opt.Verbose = False,
) -> None:
    """Separate recordings: a track for each person who speaks, or the stems of a song.

    Each input becomes a folder with a file per stem: meeting.m4a gives meeting/speaker1.wav, meeting/speaker2.wav, and
    meeting/speakers.rttm, which says who speaks when; song.mp3 gives song/vocals.wav, drums, bass and other. Without
    --model, a recording that sounds like music is separated with music-4, every other one with speech.
    """
    tell = notice if output == "-" else say
    result = Report(StemsResult, verbose=verbose)
    with reported(result, "track", as_json=as_json, quiet=quiet, tell=tell):
        from unbraid.cli import request as req
        from unbraid.runtime import Engine
        from unbraid.tasks.separation.options import Options

        req.check_json_alone(as_json=as_json, output=output)
        people, number = req.enrolled(enrol or (), only), req.speakers_of(speakers)
        wanted, removed = req.split_stems(stems), req.split_stems(remove, "--remove", "to remove none") or ()
        options = Options(
            wiener=int(wiener) if wiener_iterations is None else wiener_iterations,
            raw=raw,
            residual=residual or "residual" in (*(wanted or ()), *removed),
            high_band=high_band,
            mask_exponent=mask_exponent,
            overlap_seconds=overlap,
            shifts=shifts,
            stems=() if server else wanted or (),
            two_stems=two_stems or "",
            remove=removed,
            speakers=number,
            enrol=people,
            embedder=embedder,
            force=force,
        )
        request = req.SeparationRequest(
            inputs=tuple(inputs),
            model=model or "" if server else req.implied_model(model, options, wanted or (), precision),
            root=None if output == "-" else Path(output),
            template=template,
            stems=req.only_stems(wanted, only),
            coding=req.Coding(format.removeprefix(".").lower(), subtype, bitrate, resample),
            excerpt=req.excerpt_of((start, duration), track, input_format, strict=strict, skip_damage=skip_damage),
            engine=Engine(device, precision, threads),
            options=options,
            recursive=recursive,
            resume=resume,
            overwrite=overwrite,
            jobs=jobs,
            report=report,
        )
        if server is not None:
            from unbraid.cli.remote import run_remotely

            run_remotely(request, server, result, quiet=quiet or as_json)
            return
        from unbraid.cli.separation import run

        run(request, result, quiet=quiet or as_json)
