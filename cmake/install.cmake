# SPDX-License-Identifier: AGPL-3.0-or-later
# cmake --install BUILD --prefix P: everything lies below P (and $DESTDIR), so
# nothing of the system is changed; docs/operations.md says what root enables.
# `nfo` finds the other programs in ../libexec/nfo (src/main.c).
install(TARGETS nfo RUNTIME DESTINATION bin)
install(TARGETS nfo-client nfo-monitor nfo-server nfo-keeper nfo-spawner
	nfo-runner RUNTIME DESTINATION libexec/nfo)

install(DIRECTORY policies/ DESTINATION share/nfo/policies
	FILES_MATCHING PATTERN *.yaml)
install(DIRECTORY examples DESTINATION share/doc/nfo USE_SOURCE_PERMISSIONS)
install(DIRECTORY docs/ DESTINATION share/doc/nfo FILES_MATCHING PATTERN *.md)
install(FILES README.md ARCHITECTURE.md SECURITY.md CHANGELOG.md LICENSE
	DESTINATION share/doc/nfo)
install(FILES policies/README.md DESTINATION share/doc/nfo
	RENAME policies.md)
install(FILES packaging/sysusers.d/nfo.conf DESTINATION lib/sysusers.d)

# These name the prefix, which is known only when installing.
install(CODE "set(packaging \"${CMAKE_SOURCE_DIR}/packaging\")")
install(CODE [[
	function(put from to was is)
		file(READ "${packaging}/${from}" text)
		string(REPLACE "${was}" "${is}" text "${text}")
		message(STATUS "Installing: $ENV{DESTDIR}${to}")
		file(WRITE "$ENV{DESTDIR}${to}" "${text}")
		file(CHMOD "$ENV{DESTDIR}${to}" PERMISSIONS OWNER_READ
			OWNER_WRITE GROUP_READ WORLD_READ)
	endfunction()
	set(P "${CMAKE_INSTALL_PREFIX}")
	put(systemd/nfo.service ${P}/lib/systemd/system/nfo.service
		/usr/local/ ${P}/)
	put(apparmor/nfo ${P}/share/nfo/apparmor/nfo /usr/local/ ${P}/)
	list(APPEND CMAKE_INSTALL_MANIFEST_FILES
		${P}/lib/systemd/system/nfo.service
		${P}/share/nfo/apparmor/nfo)
]])
