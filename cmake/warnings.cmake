# SPDX-License-Identifier: AGPL-3.0-or-later
set(NFO_WARNINGS -Wall -Wextra -Wshadow -Wconversion -Wvla -Wswitch-enum
	-Wformat=2 -Wundef -Wwrite-strings)
set(NFO_C_WARNINGS -Wmissing-prototypes -Wstrict-prototypes)
if(NFO_WERROR)
	list(APPEND NFO_WARNINGS -Werror)
endif()
