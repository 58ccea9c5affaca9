"""The tables of a cohort, checked at the door; patients, exams, selection and splits."""
