/** The service runs on Node 24 in the cloud, so its tests do too: `npm ci` brings that Node into node_modules/.bin. */
export const setup = () => {
  if (Number(process.versions.node.split('.')[0]) < 24)
    throw new Error(`The tests need Node 24 or newer; this is ${process.version}. Run them by \`npm test\`.`)
}
