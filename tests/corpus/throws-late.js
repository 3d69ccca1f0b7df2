// A throw after an await.
export default { async fetch() { await scheduler.wait(2); throw new RangeError("late"); } };
