// A promise that nothing settles.
export default { fetch: () => new Promise(() => {}) };
