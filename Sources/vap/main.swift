import Commands

VAPCommand.launch()
