export async function writeDocs(root: string, results: unknown) {
  console.log(root, typeof results);
}
