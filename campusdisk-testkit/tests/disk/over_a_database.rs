// The use-cases that every database passes: included by the test of each, beside its own `catalog()`. The anomaly loops are
// not among them: they need paused time, which a database does not keep.
mod copying;
mod downloads;
mod fixture;
mod housekeeping;
mod moved_between;
mod moving;
mod placement;
mod probe;
mod publish;
mod quota;
mod races;
mod random;
mod shares;
mod transfers;
mod trash;
mod tree;
mod uploads;
mod versions;
mod visits;
