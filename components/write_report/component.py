"""The KFP component of this step: the exit handler of every pipeline, which ends the run."""

from kfp import dsl

from components.contracts.images import image


@dsl.component(base_image=image("steps"), install_kfp_package=False)
def write_report(home: str, run_id: str, status: dsl.PipelineTaskFinalStatus) -> None:
    """Write the run report and end the run, however the other steps ended."""
    from components.home.runs.step import has_succeeded, last_step

    succeeded = has_succeeded(status.state)
    with last_step("write_report", home, run_id, succeeded) as step:
        from components.write_report.report import write_report

        write_report(step.folder, step.shop, step.records, succeeded=succeeded)
