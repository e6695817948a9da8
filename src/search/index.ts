// Search.
export {};
