-- A command's id is good once, whoever gives it: outcomes and approvals name the id alone.
DROP INDEX inbox_message;
CREATE UNIQUE INDEX inbox_command ON inbox (message_id) WHERE kind = 'command';
