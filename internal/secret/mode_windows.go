package secret

// unixModes says that file modes do not tell who may read a file: Windows keeps access lists instead.
const unixModes = false
