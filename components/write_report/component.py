"""The KFP component of this step: the exit handler of every pipeline."""

from kfp import dsl

from components.contracts.images import image


@dsl.component(base_image=image("steps"), install_kfp_package=False)
def write_report(shop: str, home: str, run_id: str, status: dsl.PipelineTaskFinalStatus) -> None:
    """Write the run report, however the other steps ended."""
    from components.home.step_records import read_records, recorded_step

    with recorded_step("write_report", shop, home, run_id) as step:
        from components.write_report.report import write_report

        run = step.home.run(run_id)
        write_report(run, step.shop, read_records(run), succeeded=status.state == "SUCCEEDED")
