"""The mathematics of censored time: functions of time, event and score; no model, no file."""
