// Starts `aoac lsp` for rule files and tells it the settings; the protocol's library does the rest.
const { workspace } = require("vscode");
const { LanguageClient } = require("vscode-languageclient/node");

let client;

function settings() {
  const { checkpoint, config } = workspace.getConfiguration("aoa");
  return { checkpoint, config };
}

function activate(context) {
  const command = workspace.getConfiguration("aoa").get("path");
  client = new LanguageClient("aoa", "AOA rules", { command, args: ["lsp"] }, {
    documentSelector: [{ language: "aoa" }],
    initializationOptions: settings(),
    synchronize: { fileEvents: workspace.createFileSystemWatcher("**/*.aoa") },
  });
  context.subscriptions.push(workspace.onDidChangeConfiguration((event) => {
    if (event.affectsConfiguration("aoa"))
      client.sendNotification("workspace/didChangeConfiguration", { settings: { aoa: settings() } });
  }));
  return client.start();
}

function deactivate() {
  return client && client.stop();
}

module.exports = { activate, deactivate };
