package jobs

// Daily is for the test of the schedule.
type Daily = daily
