// More exports than the default one do no harm, as long as they are functions or objects.
export const limits = { most: 1 };
export function helper() { return limits.most; }
export default { fetch: () => new Response(helper()) };
