-- Rule files in Neovim 0.11 or later: put this file into ~/.config/nvim/plugin/.
-- `aoac` must be on the PATH. A checkpoint for hover and completion: set vim.g.aoa_checkpoint before this file is read.
vim.filetype.add({ extension = { aoa = "aoa" } })

vim.lsp.config("aoa", {
  cmd = { "aoac", "lsp" },
  filetypes = { "aoa" },
  root_markers = { ".git" },
  init_options = { checkpoint = vim.g.aoa_checkpoint, config = vim.g.aoa_config },
})
vim.lsp.enable("aoa")

vim.api.nvim_create_autocmd("FileType", {
  pattern = "aoa",
  callback = function()
    vim.bo.commentstring = "# %s"
    vim.bo.shiftwidth = 2
    vim.bo.expandtab = true
  end,
})
