export const CLIENTS = [];
