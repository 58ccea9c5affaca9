"""Pages and figures."""

from sequela.report.page import write_report

__all__ = ["write_report"]
